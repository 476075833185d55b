{{/*
How many workers a pool wants: KEDA's `scalingModifiers.formula`, over the triggers of _triggers.tpl. All pieces are
given root and pool. KEDA makes a trigger that failed more often than `fallback.failureThreshold` nil, so that `??`
says what counts while it cannot be read. It wraps the formula in a `let` of its own, and knows nil in no other place.
*/}}
{{- define "thumbnailer.workers.formula" -}}
{{- $workers := include "thumbnailer.workers.formula.workers" . -}}
{{- $conditions := list (include "thumbnailer.workers.formula.open" .) (include "thumbnailer.workers.formula.started" .) | compact -}}
{{- if $conditions -}}
({{ join ") && (" $conditions }}) ? ({{ $workers }}) : 0
{{- else -}}
{{ $workers }}
{{- end -}}
{{- end }}

{{/* The messages; while a queue cannot be read, the workers that there are, and at least `fallback.replicas`. */}}
{{- define "thumbnailer.workers.formula.workers" -}}
{{ include "thumbnailer.workers.formula.unreadable" . }} ? max({{ include "thumbnailer.workers.formula.held" . }}, {{ include "thumbnailer.workers.formula.depth" . }}) : {{ include "thumbnailer.workers.depths" . | fromJsonArray | join " + " }}
{{- end }}

{{/* Whether a queue cannot be read. */}}
{{- define "thumbnailer.workers.formula.unreadable" -}}
{{ range $n, $name := include "thumbnailer.workers.depths" . | fromJsonArray }}{{ if $n }} || {{ end }}({{ $name }} ?? -1) < 0{{ end }}
{{- end }}

{{- define "thumbnailer.workers.formula.held" -}}
max(pods ?? 0, {{ int64 .pool.fallback.replicas }}) * {{ int64 .pool.queueLength }}
{{- end }}

{{/* Messages in those queues that can be read, waiting and in flight. KEDA alone would take the longest queue. */}}
{{- define "thumbnailer.workers.formula.depth" -}}
{{ range $n, $name := include "thumbnailer.workers.depths" . | fromJsonArray }}{{ if $n }} + {{ end }}({{ $name }} ?? 0){{ end }}
{{- end }}

{{/* With an activation, whether it may start: enough messages, or one that waits too long. Once started it drains. */}}
{{- define "thumbnailer.workers.formula.started" -}}
{{- if .pool.activation -}}
{{ include "thumbnailer.workers.formula.depth" . }} > {{ int64 .pool.activation }} || {{ include "thumbnailer.workers.formula.older" (merge (dict "seconds" .pool.activationAge) .) }} || (pods ?? 0) > 0 || {{ include "thumbnailer.workers.formula.unreadable" . }}
{{- end -}}
{{- end }}

{{/* With a price gate, whether computing is cheap, or a job waits too long. A price that nobody knows is dear. */}}
{{- define "thumbnailer.workers.formula.open" -}}
{{- with .pool.priceGate -}}
{{- if not (kindIs "invalid" .below) -}}
(price ?? 1000000) <= {{ .below }}
{{- if not (kindIs "invalid" .openAfter) }} || {{ include "thumbnailer.workers.formula.older" (merge (dict "seconds" .openAfter) $) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether a job of the pool's queues waits for longer than `seconds`. An age that nobody knows is none. */}}
{{- define "thumbnailer.workers.formula.older" -}}
max({{ range $n, $name := include "thumbnailer.workers.ages" . | fromJsonArray }}{{ if $n }}, {{ end }}{{ $name }} ?? 0{{ end }}) > {{ int64 .seconds }}
{{- end }}
