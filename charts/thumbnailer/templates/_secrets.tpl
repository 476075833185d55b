{{- define "thumbnailer.firstKeySecret" -}}
{{ default (printf "%s-first-key" (include "thumbnailer.fullname" .)) .Values.auth.firstKey.existingSecret }}
{{- end }}

{{/* Where the keys of webhooks' secrets are; empty: nowhere. */}}
{{- define "thumbnailer.secretKeysSecret" -}}
{{ default (ternary (printf "%s-secret-keys" (include "thumbnailer.fullname" .)) "" .Values.secrets.generate) .Values.webhooks.existingSecret }}
{{- end }}

{{/* Says so where the cluster has no such Secret, or not this entry of it. Given root, name and key. */}}
{{- define "thumbnailer.isMissing" -}}
{{- if not (hasKey (default dict (lookup "v1" "Secret" .root.Release.Namespace .name).data) .key) }}yes{{ end -}}
{{- end }}

{{/*
A Secret that is generated once: what the cluster already has stays, and uninstalling leaves it, since the volumes with
what it opens stay too. Given root, component, name, and data: what an entry is where there is none yet.
*/}}
{{- define "thumbnailer.generatedSecret" -}}
{{- $present := default dict (lookup "v1" "Secret" .root.Release.Namespace .name).data }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  labels:
    {{- include "thumbnailer.labels" . | nindent 4 }}
  {{- include "thumbnailer.annotations" (dict "root" .root "extra" (dict "helm.sh/resource-policy" "keep")) | nindent 2 }}
type: Opaque
data:
  {{- range $key, $new := .data }}
  {{ quote $key }}: {{ default (b64enc $new) (index $present $key) | quote }}
  {{- end }}
{{- end }}
