/** A value outside of React that components can follow with `useSyncExternalStore`. */
export class Store<T> {
  private readonly followers = new Set<() => void>();

  constructor(private value: T) {}

  get = (): T => this.value;

  set(value: T): void {
    this.value = value;
    for (const follower of this.followers) follower();
  }

  subscribe = (follower: () => void): (() => void) => {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  };
}
