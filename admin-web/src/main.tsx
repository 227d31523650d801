import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries";
import { router, watchSession } from "./app/router";
import { loadDictionary, preferredLanguage, Translations } from "./i18n";
import "./styles.css";
import { Toasts } from "./ui/toast";

async function start(): Promise<void> {
  const root = document.getElementById("root");
  if (!root) throw new Error("the page has no #root");
  const language = preferredLanguage();
  const t = await loadDictionary(language);
  watchSession();
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Translations first={{ language, t }}>
          <RouterProvider router={router} />
          <Toasts />
        </Translations>
      </QueryClientProvider>
    </StrictMode>,
  );
}

void start();
