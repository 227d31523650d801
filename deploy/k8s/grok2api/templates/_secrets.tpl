{{- /* Where secrets come from: a Secret of the operator, the values, or made here once. */ -}}

{{- /*
The data of the chart's own Secret as YAML of clear text. Made once in a rendering, since the migration's hook gets a copy
of it before the Secret itself is there; what was generated at the installation is found again in the cluster.
*/ -}}
{{- define "grok2api.secretData" -}}
{{- if not (hasKey .Values "computedSecrets") }}
{{- $name := include "grok2api.fullname" . }}
{{- $old := dict }}
{{- range list (printf "%s-migrate" $name) $name }}
{{- with lookup "v1" "Secret" $.Release.Namespace . }}
{{- $old = merge (default dict .data) $old }}
{{- end }}
{{- end }}
{{- $data := dict }}
{{- $v := .Values }}
{{- if not $v.secrets.existingSecret }}
{{- $wanted := dict "admin-password" (list $v.secrets.adminPassword (randAlphaNum 24)) }}
{{- if eq $v.topology "split" }}
{{- $_ := set $wanted "internal-secret" (list $v.secrets.internalSecret (randAlphaNum 48)) }}
{{- end }}
{{- if include "grok2api.usesMasterKey" . }}
{{- $_ := set $wanted "master-key" (list $v.secrets.masterKey (randBytes 32)) }}
{{- end }}
{{- range $key, $from := $wanted }}
{{- $kept := get $old $key | b64dec }}
{{- $_ := set $data $key (first $from | default $kept | default (last $from)) }}
{{- end }}
{{- end }}
{{- if and (ne $v.storage.mode "file") (not $v.storage.existingSecret) }}
{{- $url := $v.storage.databaseUrl }}
{{- $redis := $v.storage.redisUrl }}
{{- if $v.mysql.enabled }}
{{- $password := get $old "mysql-password" | b64dec | default (randAlphaNum 24) }}
{{- $_ := set $data "mysql-password" $password }}
{{- $url = printf "mysql://grok2api:%s@%s-mysql:3306/grok2api" $password $name }}
{{- end }}
{{- if $v.redis.enabled }}
{{- $password := get $old "redis-password" | b64dec | default (randAlphaNum 24) }}
{{- $_ := set $data "redis-password" $password }}
{{- $address := printf "redis://:%s@%s-redis:6379/0" $password $name }}
{{- if eq $v.storage.mode "redis" }}{{ $url = $address }}{{ else }}{{ $redis = $address }}{{ end }}
{{- end }}
{{- $_ := set $data "database-url" $url }}
{{- with $redis }}{{ $_ := set $data "redis-url" . }}{{ end }}
{{- end }}
{{- if and $v.media.accessKey (not $v.media.existingSecret) }}
{{- $_ := set $data "media-access-key" $v.media.accessKey }}
{{- $_ := set $data "media-secret-key" $v.media.secretKey }}
{{- end }}
{{- $_ := set .Values "computedSecrets" $data }}
{{- end }}
{{- toYaml .Values.computedSecrets }}
{{- end }}

{{- /* In the mode file the key lies beside the database, unless one is given. */ -}}
{{- define "grok2api.usesMasterKey" -}}
{{- $s := .Values.secrets -}}
{{- if or (ne .Values.storage.mode "file") $s.masterKey $s.existingSecret }}yes{{ end }}
{{- end }}

{{- /* Whether token-pools share their leases through a Redis. */ -}}
{{- define "grok2api.hasRedisUrl" -}}
{{- $s := .Values.storage -}}
{{- if ne $s.mode "file" }}
{{- if $s.existingSecret }}
{{- if $s.existingSecretHasRedis }}yes{{ end }}
{{- else if or $s.redisUrl (and .Values.redis.enabled (eq $s.mode "mysql")) }}yes{{ end }}
{{- end }}
{{- end }}

{{- /*
The secrets that a component needs: [{variable, file, secret}]. They are files, named by variables that end in _FILE.
(dict "root" $ "c" component "own" name-of-the-chart's-Secret)
*/ -}}
{{- define "grok2api.secretFiles" -}}
{{- $v := .root.Values -}}
{{- $of := default .own $v.secrets.existingSecret -}}
{{- $store := default .own $v.storage.existingSecret -}}
{{- if eq $v.topology "split" }}
- {variable: G2A_INTERNAL_SECRET_FILE, file: internal-secret, secret: {{ $of }}}
{{- end }}
{{- if .c.store }}
{{- if include "grok2api.usesMasterKey" .root }}
- {variable: G2A_MASTER_KEY_FILE, file: master-key, secret: {{ $of }}}
{{- end }}
{{- if ne $v.storage.mode "file" }}
- {variable: DATABASE_URL_FILE, file: database-url, secret: {{ $store }}}
{{- end }}
{{- if include "grok2api.hasRedisUrl" .root }}
- {variable: REDIS_URL_FILE, file: redis-url, secret: {{ $store }}}
{{- end }}
{{- end }}
{{- if .c.admin }}
- {variable: G2A_ADMIN_PASSWORD_FILE, file: admin-password, secret: {{ $of }}}
{{- end }}
{{- if and .c.media (include "grok2api.hasBucket" .root) (or $v.media.accessKey $v.media.existingSecret) }}
{{- $media := default .own $v.media.existingSecret }}
- {variable: G2A_MEDIA_ACCESS_KEY_FILE, file: media-access-key, secret: {{ $media }}}
- {variable: G2A_MEDIA_SECRET_KEY_FILE, file: media-secret-key, secret: {{ $media }}}
{{- end }}
{{- end }}

{{- /* One volume of all of them, each from its Secret. */ -}}
{{- define "grok2api.secretVolume" -}}
name: secrets
projected:
  defaultMode: 0440
  sources:
    {{- range . }}
    - secret:
        name: {{ .secret }}
        items: [{key: {{ .file }}, path: {{ .file }}}]
    {{- end }}
{{- end }}
