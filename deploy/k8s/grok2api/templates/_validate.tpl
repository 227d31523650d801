{{- /* Values that contradict each other; all of them are told at once. */ -}}
{{- define "grok2api.validate" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}
{{- $split := eq $v.topology "split" -}}
{{- if and $split (eq $v.storage.mode "file") }}
{{- $wrong = append $wrong "topology split: roles in several pods cannot share SQLite; set storage.mode to mysql or redis (see values-ha.yaml)" }}
{{- end }}
{{- $given := or $v.storage.databaseUrl $v.storage.existingSecret -}}
{{- $bundled := or (and (eq $v.storage.mode "mysql") $v.mysql.enabled) (and (eq $v.storage.mode "redis") $v.redis.enabled) -}}
{{- if and (ne $v.storage.mode "file") (not $given) (not $bundled) }}
{{- $wrong = append $wrong (printf "storage.mode %s: set storage.existingSecret or storage.databaseUrl (or %s.enabled, to try it out)" $v.storage.mode $v.storage.mode) }}
{{- end }}
{{- if and $given $bundled }}
{{- $wrong = append $wrong (printf "%s.enabled: a store is named in storage as well" $v.storage.mode) }}
{{- end }}
{{- if and $v.storage.existingSecret (or $v.storage.databaseUrl $v.storage.redisUrl $v.mysql.enabled $v.redis.enabled) }}
{{- $wrong = append $wrong "storage.existingSecret: databaseUrl, redisUrl, mysql.enabled and redis.enabled would be ignored" }}
{{- end }}
{{- if and (eq $v.storage.mode "file") (or $v.storage.databaseUrl $v.storage.redisUrl $v.storage.existingSecret $v.mysql.enabled $v.redis.enabled) }}
{{- $wrong = append $wrong "storage.mode file: uses no address, Secret, MySQL or Redis" }}
{{- end }}
{{- if and (eq $v.storage.mode "redis") $v.mysql.enabled }}
{{- $wrong = append $wrong "mysql.enabled: storage.mode is redis" }}
{{- end }}
{{- if and $v.redis.enabled $v.storage.redisUrl }}
{{- $wrong = append $wrong "redis.enabled: storage.redisUrl names another" }}
{{- end }}
{{- if and $v.secrets.existingSecret (or $v.secrets.internalSecret $v.secrets.masterKey $v.secrets.adminPassword) }}
{{- $wrong = append $wrong "secrets.existingSecret: internalSecret, masterKey and adminPassword would be ignored" }}
{{- end }}
{{- $bucket := include "grok2api.hasBucket" . -}}
{{- if and (not $bucket) (or $v.media.endpoint $v.media.accessKey $v.media.secretKey $v.media.existingSecret) }}
{{- $wrong = append $wrong "media: endpoint and keys are for a bucket; set media.url to s3://…" }}
{{- end }}
{{- if ne (empty $v.media.accessKey) (empty $v.media.secretKey) }}
{{- $wrong = append $wrong "media: accessKey and secretKey go together" }}
{{- end }}
{{- if and $v.media.existingSecret $v.media.accessKey }}
{{- $wrong = append $wrong "media.existingSecret: accessKey and secretKey would be ignored" }}
{{- end }}
{{- if $split }}
{{- $several := dict }}
{{- range list "tokenPool" "mediaCache" }}
{{- $pod := index $v . }}
{{- if or (gt (int $pod.replicas) 1) $pod.autoscaling.enabled }}{{ $_ := set $several . true }}{{ end }}
{{- end }}
{{- if and $several.tokenPool (eq $v.storage.mode "mysql") (not (include "grok2api.hasRedisUrl" .)) }}
{{- $wrong = append $wrong "tokenPool: several replicas share their leases through Redis; set storage.redisUrl, redis-url in storage.existingSecret, or redis.enabled" }}
{{- end }}
{{- if and $several.mediaCache (not $bucket) (not (and $v.persistence.enabled (eq $v.persistence.accessMode "ReadWriteMany"))) }}
{{- $wrong = append $wrong "mediaCache: several replicas need a bucket (media.url) or a volume for all of them (persistence.accessMode ReadWriteMany)" }}
{{- end }}
{{- end }}
{{- if and $v.gatewayApi.enabled (empty $v.gatewayApi.parentRefs) }}
{{- $wrong = append $wrong "gatewayApi: name the Gateway in parentRefs" }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n  - %s\n" (join "\n  - " $wrong)) }}
{{- end }}
{{- end }}
