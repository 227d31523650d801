import { CopyButton } from "./copy";

interface Props {
  code: string;
  /** What it is: "curl", "Python". */
  title?: string;
}

export function CodeBlock({ code, title }: Props) {
  return (
    <figure className="min-w-0 overflow-hidden rounded-lg border bg-sunken">
      <figcaption className="flex items-center justify-between gap-2 border-b py-1 pr-1 pl-3 text-xs font-medium text-soft">
        {title ?? ""}
        <CopyButton text={code} what={title} />
      </figcaption>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to be reached by the keyboard
        tabIndex={0}
        className="max-h-96 overflow-auto p-3 font-mono text-xs leading-relaxed max-sm:wrap-anywhere max-sm:whitespace-pre-wrap"
      >
        <code>{code}</code>
      </pre>
    </figure>
  );
}
