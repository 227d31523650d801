import {
  type ColumnDef,
  columnVisibilityFeature,
  createColumnHelper,
  type RowSelectionState,
  rowSelectionFeature,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import type { ReactNode } from "react";
import { useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { Checkbox } from "./check";
import { Skeleton } from "./skeleton";

interface Meta {
  /** Of the column's cells and its head: widths, alignment, from which width on it is shown. */
  className?: string;
}

// Sorting, filters and pages are the server's; the table keeps their state only.
const features = tableFeatures({
  rowSelectionFeature,
  rowSortingFeature,
  columnVisibilityFeature,
  columnMeta: {} as Meta,
});
type Features = typeof features;
export type Columns<T extends object> = ColumnDef<Features, T, unknown>[];
export const columnsOf = <T extends object>() => createColumnHelper<Features, T>();
export type { RowSelectionState, SortingState };

interface Props<T extends object> {
  /** What the rows are, for assistive technology. */
  label: string;
  columns: Columns<T>;
  /** Absent while the first ones are loaded. */
  rows: readonly T[] | undefined;
  rowId: (row: T) => string;
  /** What stands in place of rows when there are none. */
  empty: ReactNode;
  /** How a row is called, for the checkbox that selects it. */
  rowName?: (row: T) => string;
  onOpen?: (row: T) => void;
  sorting?: SortingState;
  onSorting?: (sorting: SortingState) => void;
  selection?: RowSelectionState;
  onSelection?: (selection: RowSelectionState) => void;
  hidden?: readonly string[];
  /** A newer version of the rows is under way. */
  refreshing?: boolean;
}

const none: never[] = [];

export function DataTable<T extends object>(props: Props<T>) {
  const { columns, rows, rowId, sorting, selection, hidden = none, onOpen } = props;
  const t = useText();
  const table = useTable({
    features,
    columns,
    data: (rows ?? none) as T[],
    getRowId: rowId,
    manualSorting: true,
    enableSortingRemoval: false,
    enableSorting: !!props.onSorting,
    enableRowSelection: !!props.onSelection,
    state: {
      sorting: sorting ?? none,
      rowSelection: selection ?? {},
      columnVisibility: Object.fromEntries(hidden.map((id) => [id, false])),
    },
    onSortingChange: (change) =>
      props.onSorting?.(typeof change === "function" ? change(sorting ?? []) : change),
    onRowSelectionChange: (change) =>
      props.onSelection?.(typeof change === "function" ? change(selection ?? {}) : change),
  });
  const selectable = !!props.onSelection;
  const heads = table.getHeaderGroups()[0]?.headers ?? [];
  if (rows?.length === 0) return <>{props.empty}</>;
  return (
    <div className={cn("overflow-x-auto transition-opacity", props.refreshing && "opacity-60")}>
      <table className="w-full border-collapse text-sm" aria-label={props.label} aria-busy={!rows}>
        <thead>
          <tr className="border-b text-left text-xs text-soft">
            {selectable && (
              <th className="w-10 py-2 pl-4">
                <Checkbox
                  aria-label={t.common.selectAll}
                  checked={table.getIsAllRowsSelected()}
                  partly={table.getIsSomeRowsSelected() && !table.getIsAllRowsSelected()}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </th>
            )}
            {heads.map((head) => {
              const sorted = head.column.getIsSorted();
              const content = head.isPlaceholder ? null : <table.FlexRender header={head} />;
              return (
                <th
                  key={head.id}
                  scope="col"
                  aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
                  className={cn(
                    "px-3 py-2 whitespace-nowrap first:pl-4 last:pr-4",
                    head.column.columnDef.meta?.className,
                    "font-sans text-xs font-medium text-soft",
                  )}
                >
                  {head.column.getCanSort() ? (
                    <button
                      type="button"
                      onClick={head.column.getToggleSortingHandler()}
                      className="inline-flex items-center gap-1 hover:text-ink"
                    >
                      {content}
                      <SortMark sorted={sorted} />
                    </button>
                  ) : (
                    content
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows
            ? table.getRowModel().rows.map((row) => (
                <tr
                  key={row.id}
                  data-selected={row.getIsSelected() || undefined}
                  onClick={onOpen && ((event) => opens(event.target) && onOpen(row.original))}
                  className={cn(
                    "lazy-row border-b last:border-b-0 data-selected:bg-accent-wash",
                    onOpen && "cursor-pointer hover:bg-sunken",
                  )}
                >
                  {selectable && (
                    <td className="w-10">
                      {/* As high as the row: beside it lies what opens the row. */}
                      <label className="flex min-h-10 cursor-pointer items-center pl-4">
                        <Checkbox
                          aria-label={t.common.selectRow(props.rowName?.(row.original) ?? row.id)}
                          checked={row.getIsSelected()}
                          onChange={row.getToggleSelectedHandler()}
                        />
                      </label>
                    </td>
                  )}
                  {row.getVisibleCells().map((cell) => (
                    <td
                      key={cell.id}
                      className={cn(
                        "h-10 px-3 py-1.5 first:pl-4 last:pr-4",
                        cell.column.columnDef.meta?.className,
                      )}
                    >
                      <table.FlexRender cell={cell} />
                    </td>
                  ))}
                </tr>
              ))
            : ["a", "b", "c", "d", "e", "f", "g", "h"].map((line) => (
                <tr key={line} className="border-b last:border-b-0">
                  {selectable && <td className="w-10" />}
                  {heads.map((head) => (
                    <td key={head.id} className={cn("h-10 px-3", head.column.columnDef.meta?.className)}>
                      <Skeleton className="w-3/4" />
                    </td>
                  ))}
                </tr>
              ))}
        </tbody>
      </table>
    </div>
  );
}

/** A click on a control inside a row is the control's. */
function opens(target: EventTarget): boolean {
  if (!(target instanceof Element) || target.closest("button, a, input, label")) return false;
  return !window.getSelection()?.toString();
}

function SortMark({ sorted }: { sorted: false | "asc" | "desc" }) {
  const Mark = sorted === "asc" ? ArrowUp : sorted === "desc" ? ArrowDown : ChevronsUpDown;
  return <Mark aria-hidden className={cn("size-3", !sorted && "opacity-40")} />;
}
