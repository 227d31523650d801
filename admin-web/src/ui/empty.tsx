import type { ReactNode } from "react";

interface Props {
  icon: ReactNode;
  title: string;
  /** What to do first. */
  children?: ReactNode;
  action?: ReactNode;
}

/** Takes the place of a list that has nothing in it. */
export function Empty({ icon, title, children, action }: Props) {
  return (
    <div className="flex flex-col items-center gap-1.5 px-6 py-14 text-center [&>svg]:mb-1 [&>svg]:size-7 [&>svg]:text-faint">
      {icon}
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-md text-sm text-soft">{children}</div>}
      {action && <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}
