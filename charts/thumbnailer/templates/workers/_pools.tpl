{{/* The enabled pools as JSON: each is workers.defaults with what the pool says itself over it. */}}
{{- define "thumbnailer.workers.pools" -}}
{{- $pools := dict }}
{{- range $name, $own := .Values.workers.pools }}
{{- $pool := mergeOverwrite (deepCopy $.Values.workers.defaults) (deepCopy ($own | default dict)) }}
{{- if $pool.enabled }}
{{- $_ := set $pools $name $pool }}
{{- end }}
{{- end }}
{{- $pools | toJson }}
{{- end }}

{{/* All queues that somebody serves, as a,b,c: what ElasticMQ has to have. */}}
{{- define "thumbnailer.workers.queues" -}}
{{- $queues := list }}
{{- range include "thumbnailer.workers.pools" . | fromJson }}
{{- $queues = concat $queues (.queues | default list) }}
{{- end }}
{{- $queues | uniq | sortAlpha | join "," }}
{{- end }}

{{/* Those of them that are classes, for THUMBNAILER_CLASSES. */}}
{{- define "thumbnailer.workers.classes" -}}
{{- without (include "thumbnailer.workers.queues" . | splitList ",") "express" "standard" "economy" "" | join "," }}
{{- end }}

{{/* The instance types whose spot price the housekeeper reads, for THUMBNAILER_SPOT_PRICES. */}}
{{- define "thumbnailer.workers.spotPrices" -}}
{{- $types := .Values.housekeeper.spotPrices | default list }}
{{- range include "thumbnailer.workers.pools" . | fromJson }}
{{- $types = concat $types (without (list (dig "source" "spot" "" (.priceGate | default dict))) "") }}
{{- end }}
{{- without $types nil | uniq | sortAlpha | join "," }}
{{- end }}
