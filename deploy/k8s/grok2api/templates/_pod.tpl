{{- /* What the pods are made of. All of these take (dict "root" $ "c" component "own" name-of-the-chart's-Secret). */ -}}

{{- define "grok2api.env" -}}
{{- $v := .root.Values -}}
{{- $host := $v.listenHost -}}
- {name: G2A_OPS_LISTEN, value: {{ printf "%s:9090" $host | quote }}}
- {name: G2A_DATA_DIR, value: /data}
- {name: G2A_LOG_FORMAT, value: {{ $v.logFormat }}}
- {name: G2A_LIFECYCLE__DRAIN_DELAY_MS, value: {{ $v.lifecycle.drainDelayMs | int | quote }}}
- {name: G2A_GRACE_SECONDS, value: {{ $v.lifecycle.graceSeconds | int | quote }}}
{{- if .c.http }}
- {name: G2A_LISTEN, value: {{ printf "%s:8000" $host | quote }}}
- {name: G2A_MAX_BODY_BYTES, value: {{ $v.maxBodyBytes | int | quote }}}
{{- with $v.trustedProxies }}
- {name: G2A_HTTP__TRUSTED_PROXIES, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if .c.port }}
- {name: G2A_GRPC__{{ .c.name | upper | replace "-" "_" }}, value: {{ printf "%s:%v" $host .c.port | quote }}}
{{- end }}
{{- range .c.calls }}
- {name: G2A_{{ upper . | replace "-" "_" }}_ADDR, value: {{ include "grok2api.peer" (dict "root" $.root "name" .) }}}
{{- end }}
{{- if .c.upstream }}
{{- $simulated := "http://127.0.0.1:9100" }}
- {name: G2A_UPSTREAM_URL, value: {{ ternary $simulated $v.upstream.url $v.simulator.enabled }}}
- {name: G2A_ASSETS_URL, value: {{ ternary $simulated $v.upstream.assetsUrl $v.simulator.enabled }}}
- {name: G2A_UPSTREAM__ALLOW_PRIVATE_IMAGES, value: {{ $v.upstream.allowPrivateImages | quote }}}
{{- end }}
{{- if .c.store }}
- {name: STORAGE_MODE, value: {{ $v.storage.mode }}}
{{- end }}
{{- if and .c.media $v.media.url }}
- {name: G2A_MEDIA_URL, value: {{ $v.media.url | quote }}}
{{- if include "grok2api.hasBucket" .root }}
{{- with $v.media.endpoint }}
- {name: G2A_MEDIA_ENDPOINT, value: {{ . | quote }}}
{{- end }}
- {name: G2A_MEDIA_REGION, value: {{ $v.media.region | quote }}}
- {name: G2A_MEDIA_PATH_STYLE, value: {{ $v.media.pathStyle | quote }}}
{{- end }}
{{- end }}
{{- range include "grok2api.secretFiles" . | fromYamlArray }}
- {name: {{ .variable }}, value: /run/secrets/grok2api/{{ .file }}}
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- with (get $v (.c.key | default "") | default dict).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "grok2api.mounts" -}}
- {name: data, mountPath: /data}
{{- if include "grok2api.secretFiles" . | fromYamlArray }}
- {name: secrets, mountPath: /run/secrets/grok2api, readOnly: true}
{{- end }}
{{- end }}

{{- define "grok2api.volumes" -}}
- name: data
  {{- if include "grok2api.persistent" . }}
  persistentVolumeClaim:
    claimName: {{ .root.Values.persistence.existingClaim | default (printf "%s-data" (include "grok2api.fullname" .root)) }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ ternary .root.Values.persistence.size "256Mi" (and (.c.media | default false) (eq .root.Values.media.url "")) }}
  {{- end }}
{{- with include "grok2api.secretFiles" . | fromYamlArray }}
- {{ include "grok2api.secretVolume" . | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- /* The simulated upstream, beside the container that talks to it; and in the store, once, its accounts. */ -}}
{{- define "grok2api.simulator" -}}
- name: simulator
  image: {{ include "grok2api.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: [sim, --listen, '0.0.0.0:9100']
  # Runs on beside the other containers.
  restartPolicy: Always
  ports:
    - {name: simulator, containerPort: 9100}
  startupProbe: &simulator
    tcpSocket: {port: simulator}
    periodSeconds: 2
    failureThreshold: 30
  readinessProbe: *simulator
  livenessProbe: *simulator
  resources: &little
    requests: {cpu: 20m, memory: 32Mi}
    limits: {cpu: '1', memory: 256Mi}
  securityContext:
    {{- include "grok2api.containerSecurity" . | nindent 4 }}
{{- if has .c.name (list "embedded" "token-pool") }}
- name: accounts
  image: {{ include "grok2api.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: {{ concat (list "accounts" "add" "--note" "simulator") .root.Values.simulator.accounts | toJson }}
  env:
    {{- include "grok2api.env" . | nindent 4 }}
  volumeMounts:
    {{- include "grok2api.mounts" . | nindent 4 }}
  resources: *little
  securityContext:
    {{- include "grok2api.containerSecurity" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "grok2api.probes" -}}
{{- /* Services are asked by gRPC's own health protocol. Life is asked on the operations port, which needs no store. */ -}}
{{- $ask := dict "httpGet" (dict "path" "/readyz" "port" "ops") -}}
{{- if .c.port }}{{ $ask = dict "grpc" (dict "port" (int .c.port)) }}{{ end -}}
startupProbe:
  {{- toYaml $ask | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 2
  # Five minutes: a role waits for config, and the first of a new version brings the store up to date.
  failureThreshold: 150
readinessProbe:
  {{- toYaml $ask | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{- define "grok2api.container" -}}
name: grok2api
image: {{ include "grok2api.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [serve, --run, {{ .c.run }}]
ports:
  {{- if .c.http }}
  - {name: http, containerPort: 8000}
  {{- end }}
  {{- if .c.port }}
  - {name: grpc, containerPort: {{ .c.port }}}
  {{- end }}
  - {name: ops, containerPort: 9090}
env:
  {{- include "grok2api.env" . | nindent 2 }}
volumeMounts:
  {{- include "grok2api.mounts" . | nindent 2 }}
{{ include "grok2api.probes" . }}
resources:
  {{- toYaml (get .root.Values .c.key).resources | nindent 2 }}
securityContext:
  {{- include "grok2api.containerSecurity" . | nindent 2 }}
{{- end }}
