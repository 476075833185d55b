{{/* What a pool sets beside the environment that all programs share. Given root and pool. */}}
{{- define "thumbnailer.workers.env" -}}
{{- with .pool -}}
- name: THUMBNAILER_QUEUES
  value: {{ join "," .queues | quote }}
{{- with .borrows }}
- name: THUMBNAILER_BORROWS
  value: {{ join "," . | quote }}
{{- end }}
{{- if not (kindIs "invalid" .concurrency) }}
- name: THUMBNAILER_CONCURRENCY
  value: {{ int64 .concurrency | quote }}
{{- end }}
- name: THUMBNAILER_CHILD_MEMORY_MIB
  value: {{ int64 .childMemoryMiB | quote }}
- name: THUMBNAILER_CHILD_CPU_SECONDS
  value: {{ include "thumbnailer.string" .childCpuSeconds | quote }}
{{- end }}
- name: THUMBNAILER_GRACE_SECONDS
  value: {{ include "thumbnailer.workers.grace" . | quote }}
- name: THUMBNAILER_SCRATCH
  value: /tmp
{{- end }}
