{{/*
How many workers a pool wants: KEDA's `scalingModifiers.formula`, over the triggers of _triggers.tpl. All pieces are
given root and pool. KEDA makes a trigger that failed more often than `fallback.failureThreshold` nil, so that `??`
says what counts while it cannot be read. It wraps the formula in a `let` of its own, and knows nil in no other place.
*/}}
{{- define "thumbnailer.workers.formula" -}}
{{- $open := include "thumbnailer.workers.formula.open" . -}}
{{- $started := include "thumbnailer.workers.formula.started" . -}}
{{- $depth := include "thumbnailer.workers.formula.depth" . -}}
{{- $unreadable := include "thumbnailer.workers.formula.unreadable" . -}}
{{- $held := include "thumbnailer.workers.formula.held" . -}}
({{ $open }}) && ({{ $started }}) ? (({{ $unreadable }}) ? max({{ $held }}, {{ $depth }}) : {{ $depth }}) : 0
{{- end }}

{{/* Messages in all queues of the pool, waiting and in flight: KEDA alone would take the longest queue. */}}
{{- define "thumbnailer.workers.formula.depth" -}}
({{ range $n, $name := include "thumbnailer.workers.depths" . | fromJsonArray }}{{ if $n }} + {{ end }}({{ $name }} ?? 0){{ end }})
{{- end }}

{{/* Whether a queue cannot be read. */}}
{{- define "thumbnailer.workers.formula.unreadable" -}}
{{ range $n, $name := include "thumbnailer.workers.depths" . | fromJsonArray }}{{ if $n }} || {{ end }}({{ $name }} ?? -1) < 0{{ end }}
{{- end }}

{{/* What the pool then holds: the pods that it has, and at least `fallback.replicas`. */}}
{{- define "thumbnailer.workers.formula.held" -}}
max(pods ?? 0, {{ int64 .pool.fallback.replicas }}) * {{ int64 .pool.queueLength }}
{{- end }}

{{/* Whether it may start: one message is more than `activation`, or waits too long; once started it drains. */}}
{{- define "thumbnailer.workers.formula.started" -}}
{{ include "thumbnailer.workers.formula.depth" . }} > {{ int64 .pool.activation }} || {{ include "thumbnailer.workers.formula.older" (merge (dict "seconds" .pool.activationAge) .) }} || (pods ?? 0) > 0 || {{ include "thumbnailer.workers.formula.unreadable" . }}
{{- end }}

{{/* The price gate: computing is cheap, or the oldest job has waited too long. A price nobody knows is dear. */}}
{{- define "thumbnailer.workers.formula.open" -}}
{{- with .pool.priceGate -}}
{{- if kindIs "invalid" .below -}}true
{{- else -}}
(price ?? 1000000) <= {{ .below }}{{ if not (kindIs "invalid" .openAfter) }} || {{ include "thumbnailer.workers.formula.older" (merge (dict "seconds" .openAfter) $) }}{{ end }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether a job of the pool's queues waits for longer than `seconds`. An age nobody knows is none. */}}
{{- define "thumbnailer.workers.formula.older" -}}
max({{ range $n, $name := include "thumbnailer.workers.ages" . | fromJsonArray }}{{ if $n }}, {{ end }}{{ $name }} ?? 0{{ end }}) > {{ int64 .seconds }}
{{- end }}
