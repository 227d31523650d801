export const Logo = () => (
  <span className="flex items-center gap-2 text-sm font-semibold tracking-tight">
    <svg aria-hidden viewBox="0 0 32 32" className="size-6">
      <rect width="32" height="32" rx="8" className="fill-accent" />
      <path
        d="M22 11.5A7.5 7.5 0 1 0 23.5 17H16"
        fill="none"
        className="stroke-on-accent"
        strokeWidth="3"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
    grok2api
  </span>
);
