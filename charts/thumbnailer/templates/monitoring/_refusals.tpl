{{/* What is refused of monitoring before anything is deployed: a sentence a line, with the value and what to do. */}}
{{- define "thumbnailer.monitoring.refusals" }}
{{- with .Values.monitoring }}
{{- if and .rules.enabled (not (and .podMonitor.enabled .serviceMonitor.enabled)) }}
monitoring.rules.enabled is true: set monitoring.podMonitor.enabled and monitoring.serviceMonitor.enabled too, since they write the labels that alerts ask for.
{{- end }}
{{- range $pool, $dollars := .dashboard.hourlyCost }}
{{- if not (hasKey $.Values.workers.pools $pool) }}
monitoring.dashboard.hourlyCost.{{ $pool }} is the price of a pool that is not in workers.pools: name one that is there.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
