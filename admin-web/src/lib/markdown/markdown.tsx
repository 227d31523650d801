import { Fragment, memo, type ReactNode } from "react";
import { useText } from "@/i18n";
import { CodeBlock } from "@/ui/code";
import { localMedia } from "../media-url";
import { parse } from "./parse";
import { isPicture, safeLink } from "./safe";
import type { Block, Inline } from "./types";

/** Shows a model's Markdown. Only elements of this file come about; nothing is ever set as HTML. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className="flex min-w-0 flex-col gap-3 leading-relaxed break-words">
      <Blocks blocks={parse(text)} />
    </div>
  );
});

// Parts of a text have no names but their places.
const Blocks = ({ blocks }: { blocks: Block[] }) =>
  // biome-ignore lint/suspicious/noArrayIndexKey: as said
  blocks.map((block, place) => <Fragment key={`${place} ${block.kind}`}>{show(block)}</Fragment>);
const Parts = ({ parts }: { parts: Inline[] }) =>
  // biome-ignore lint/suspicious/noArrayIndexKey: as said
  parts.map((part, place) => <Fragment key={`${place} ${part.kind}`}>{showPart(part)}</Fragment>);

const sizes = ["text-lg", "text-base", "text-base", "text-sm", "text-sm", "text-sm"];

function show(block: Block): ReactNode {
  switch (block.kind) {
    case "paragraph":
      return (
        <p>
          <Parts parts={block.parts} />
        </p>
      );
    case "heading":
      return (
        // biome-ignore lint/a11y/useSemanticElements: the level is the text's, below the page's own headings
        <p
          role="heading"
          aria-level={Math.min(6, block.level + 2)}
          className={`${sizes[block.level - 1]} font-semibold`}
        >
          <Parts parts={block.parts} />
        </p>
      );
    case "code":
      return <CodeBlock title={block.language} code={block.text} />;
    case "quote":
      return (
        <blockquote className="flex flex-col gap-2 border-l-2 border-strong pl-3 text-soft">
          <Blocks blocks={block.blocks} />
        </blockquote>
      );
    case "list":
      return <List block={block} />;
    case "table":
      return <Table block={block} />;
    case "video":
      return <Video src={block.src} />;
    case "rule":
      return <hr />;
  }
}

function List({ block }: { block: Block & { kind: "list" } }) {
  const items = block.items.map((item, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text have no names but their places
    <li key={place} className="flex flex-col gap-1.5 [&:not(:last-child)]:mb-1">
      <Blocks blocks={item} />
    </li>
  ));
  const look = "list-outside pl-6 [&>li]:list-item";
  return block.start === null ? (
    <ul className={`${look} list-disc`}>{items}</ul>
  ) : (
    <ol className={`${look} list-decimal`} start={block.start}>
      {items}
    </ol>
  );
}

function Table({ block }: { block: Block & { kind: "table" } }) {
  return (
    <div className="overflow-x-auto rounded-lg border">
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b bg-sunken text-left">
            {block.head.map((cell, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              <th key={place} className="px-3 py-1.5 font-medium">
                <Parts parts={cell} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.rows.map((row, line) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <tr key={line} className="border-b last:border-b-0">
              {row.map((cell, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                <td key={place} className="px-3 py-1.5 align-top">
                  <Parts parts={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function showPart(part: Inline): ReactNode {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return <code className="rounded bg-sunken px-1 py-px font-mono text-[0.92em]">{part.text}</code>;
    case "strong":
      return (
        <strong className="font-semibold">
          <Parts parts={part.parts} />
        </strong>
      );
    case "em":
      return (
        <em>
          <Parts parts={part.parts} />
        </em>
      );
    case "del":
      return (
        <del>
          <Parts parts={part.parts} />
        </del>
      );
    case "link":
      return (
        <SafeLink href={part.href}>
          <Parts parts={part.parts} />
        </SafeLink>
      );
    case "image":
      return <Picture src={part.src} alt={part.alt} />;
    case "break":
      return <br />;
  }
}

function SafeLink({ href, children }: { href: string; children: ReactNode }) {
  const safe = safeLink(href);
  if (!safe) return <span>{children}</span>;
  return (
    <a
      href={safe}
      target="_blank"
      rel="noopener noreferrer nofollow"
      className="text-accent-ink underline underline-offset-2"
    >
      {children}
    </a>
  );
}

/** Our own pictures are shown; those of other hosts are links, since showing them would tell those hosts. */
function Picture({ src, alt }: { src: string; alt: string }) {
  const t = useText();
  const own = localMedia(src) ?? (isPicture(src) ? src : null);
  if (!own) return <SafeLink href={src}>{alt || src}</SafeLink>;
  return (
    <img
      src={own}
      alt={alt || t.media.kindOne.image}
      className="my-1 inline-block max-h-96 max-w-full rounded-lg border"
    />
  );
}

function Video({ src }: { src: string }) {
  const t = useText();
  const own = localMedia(src);
  if (!own) return <SafeLink href={src}>{src}</SafeLink>;
  return (
    // biome-ignore lint/a11y/useMediaCaption: generated videos have no captions
    <video
      src={own}
      controls
      aria-label={t.media.kindOne.video}
      className="max-h-96 max-w-full rounded-lg border"
    />
  );
}
