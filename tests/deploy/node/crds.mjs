// Checks the custom resources in the JSON list on standard input: values by the schemas of their projects, and that no
// field is unknown there. The schemas are compiled functions, so a field that they never look at is one they do not know.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const models = {
  HTTPRoute: "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute.js",
  PrometheusRule: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule.js",
  ServiceMonitor: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.js",
};

function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  const all = () => Object.keys(value).forEach((key) => seen.add(`${path}.${key}`));
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "string") seen.add(`${path}.${key}`);
      return watched(target[key], `${path}.${String(key)}`, seen);
    },
    ownKeys(target) {
      all();
      return Reflect.ownKeys(target);
    },
  });
}

function unknown(value, path, seen) {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = `${path}.${key}`;
    return Array.isArray(value) || seen.has(at) ? unknown(inner, at, seen) : [at];
  });
}

let failed = false;
for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${one.kind} ${one.metadata.name}`;
  const { [one.kind]: Model } = await import(pathToFileURL(`node_modules/${models[one.kind]}`).href);
  const seen = new Set();
  try {
    Model.prototype.validate.call(watched(one, "", seen));
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    failed = true;
  }
  for (const path of unknown(one, "", seen)) {
    console.error(`${name}: ${path} is no field of it`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
