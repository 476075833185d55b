{{/* An image's reference. Given root and name, as in `images`. */}}
{{- define "thumbnailer.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- $ours := ternary .root.Values.registry "" (has .name (list "api" "worker" "minio")) -}}
{{- $registry := coalesce .root.Values.global.imageRegistry $image.registry $ours | default "" -}}
{{- $repository := ternary (printf "%s/%s" (trimSuffix "/" $registry) $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end }}

{{/* The two lines of a container. Given root and name. */}}
{{- define "thumbnailer.containerImage" -}}
image: {{ include "thumbnailer.image" . | quote }}
imagePullPolicy: {{ (index .root.Values.images .name).pullPolicy }}
{{- end }}

{{/* The `imagePullSecrets` of a pod, where there are any. Given root. */}}
{{- define "thumbnailer.imagePullSecrets" -}}
{{- with .root.Values.global.imagePullSecrets -}}
imagePullSecrets:
{{- range . }}
  - name: {{ quote . }}
{{- end }}
{{- end }}
{{- end }}
