import { QueryClient, queryOptions } from "@tanstack/react-query";
import { asApiError } from "./error";
import { keys } from "./keys";
import { session } from "./session";
import { settings } from "./settings";
import { system } from "./system";

/** One client for the whole console. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refuses stays refused; what could not be reached is tried again.
      retry: (failures, error) => {
        const { status } = asApiError(error);
        return failures < 2 && (status === 0 || status >= 500);
      },
    },
  },
});

// Asked for in several places, and so defined once.
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => session.get(signal),
  staleTime: 60_000,
});
export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => system.models(signal),
  staleTime: 300_000,
});
export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => system.get(signal),
});
export const parametersQuery = queryOptions({
  queryKey: ["parameters"],
  queryFn: ({ signal }) => settings.parameters(signal),
});
export const keysQuery = (revoked: boolean) =>
  queryOptions({ queryKey: ["keys", { revoked }], queryFn: ({ signal }) => keys.list(revoked, signal) });
