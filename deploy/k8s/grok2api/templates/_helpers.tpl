{{- /* Names, labels, and the parts that the topology is made of. */ -}}

{{- define "grok2api.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters leave room for "-token-pool" and what Kubernetes adds. */ -}}
{{- define "grok2api.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "grok2api.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "grok2api.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Labels that select: (dict "root" $ "name" "chat") */ -}}
{{- define "grok2api.selector" -}}
app.kubernetes.io/name: {{ include "grok2api.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "grok2api.labels" -}}
{{ include "grok2api.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "grok2api.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- with .Values.image.digest -}}
{{ $.Values.image.repository }}@{{ . }}
{{- else -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- end }}
{{- end }}

{{- /*
What runs: one entry for each Deployment. `key` is its section of the values; `port` its gRPC port; `calls` the roles it
reaches, which is all that its NetworkPolicy allows; `store` that it needs the store and the key; `upstream` that it talks
to Grok. The same as in services/server/src/remotes.rs; the gateway is given token-pool for the admin API.
*/ -}}
{{- define "grok2api.components" -}}
{{- if eq .Values.topology "embedded" -}}
- {name: embedded, key: embedded, run: all, calls: [], http: true, store: true, upstream: true, media: true, admin: true}
{{- else -}}
- {name: gateway, key: gateway, run: gateway, calls: [chat, token-pool, media-cache, config], http: true}
- {name: chat, key: chat, run: chat, port: 50051, calls: [token-pool, media-cache, config], upstream: true}
- {name: token-pool, key: tokenPool, run: token-pool, port: 50052, calls: [config], store: true, upstream: true}
- {name: media-cache, key: mediaCache, run: media-cache, port: 50053, calls: [config], store: true, upstream: true, media: true}
- {name: config, key: config, run: config, port: 50054, calls: [], store: true, admin: true}
{{- end -}}
{{- end }}

{{- define "grok2api.grpcPort" -}}
{{- get (dict "chat" 50051 "token-pool" 50052 "media-cache" 50053 "config" 50054) . }}
{{- end }}

{{- /* How a role finds another, in one place: every pod behind the headless Service. (dict "root" $ "name" "chat") */ -}}
{{- define "grok2api.peer" -}}
dns://{{ include "grok2api.fullname" .root }}-{{ .name }}:{{ include "grok2api.grpcPort" .name }}
{{- end }}

{{- /* The component that clients reach. */ -}}
{{- define "grok2api.entry" -}}
{{- ternary "embedded" "gateway" (eq .Values.topology "embedded") }}
{{- end }}

{{- define "grok2api.hasBucket" -}}
{{- if hasPrefix "s3://" .Values.media.url }}yes{{ end }}
{{- end }}

{{- /* Whether the component keeps something in the volume: (dict "root" $ "c" component) */ -}}
{{- define "grok2api.persistent" -}}
{{- $v := .root.Values -}}
{{- $files := or (and .c.store (eq $v.storage.mode "file")) (and .c.media (eq $v.media.url "")) -}}
{{- if and $v.persistence.enabled $files }}yes{{ end }}
{{- end }}

{{- /* The drain, housekeeping's last writes (5 s), and something to spare. */ -}}
{{- define "grok2api.termination" -}}
{{- $l := .Values.lifecycle -}}
{{- add (div (add $l.drainDelayMs 999) 1000) $l.graceSeconds 10 }}
{{- end }}

{{- /* Restricted pod security. 65532 is the image's own user. */ -}}
{{- define "grok2api.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "grok2api.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}
