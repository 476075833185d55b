{{/*
Cut so that `keda-hpa-<fullname>-worker-<pool>`, with a pool's name of 16, stays within the 63 of a label. A release may
have dots in its name, and a Service may not.
*/}}
{{- define "thumbnailer.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- default $release .Values.fullnameOverride | replace "." "-" | trunc 30 | trimSuffix "-" -}}
{{- end }}

{{/* What never changes, since a selector cannot. Given root and component; pods of a pool add `thumbnailer/pool`. */}}
{{- define "thumbnailer.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of an object. Given root and component, and maybe extra: a map of more. */}}
{{- define "thumbnailer.labels" -}}
{{- $own := merge (include "thumbnailer.selectorLabels" . | fromYaml) (dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "thumbnailer"
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63)) -}}
{{- toYaml (merge $own (default dict .extra) .root.Values.commonLabels) -}}
{{- end }}

{{/* Labels of a pod: without versions, so that a new chart alone restarts nothing. Given root, component, maybe extra. */}}
{{- define "thumbnailer.podLabels" -}}
{{- $own := merge (include "thumbnailer.selectorLabels" . | fromYaml) (dict "app.kubernetes.io/part-of" "thumbnailer") -}}
{{- toYaml (merge $own (default dict .extra) .root.Values.commonLabels) -}}
{{- end }}

{{/* The `annotations` of an object or pod, where there are any. Given root, maybe extra. */}}
{{- define "thumbnailer.annotations" -}}
{{- with merge dict (default dict .extra) .root.Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
