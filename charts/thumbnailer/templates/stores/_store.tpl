{{/*
What the bundled stores share: one pod with a volume, and a Service. Given root, name, values (the store's), user (its
id), port, grace, and container: the rest of its container as YAML; maybe volumes, checksum (of its configuration).
*/}}
{{- define "thumbnailer.store" -}}
{{- $it := dict "root" .root "component" .name -}}
{{- $fullname := printf "%s-%s" (include "thumbnailer.fullname" .root) .name -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "thumbnailer.labels" $it | nindent 4 }}
  {{- include "thumbnailer.annotations" $it | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ $fullname }}
  selector:
    matchLabels:
      {{- include "thumbnailer.selectorLabels" $it | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "thumbnailer.podLabels" $it | nindent 8 }}
      {{- $checksum := ternary (dict "checksum/config" .checksum) dict (hasKey . "checksum") }}
      {{- include "thumbnailer.annotations" (dict "root" .root "extra" (merge $checksum .values.podAnnotations)) | nindent 6 }}
    spec:
      {{- include "thumbnailer.pod" . | nindent 6 }}
      terminationGracePeriodSeconds: {{ .grace }}
      containers:
        - name: {{ .name }}
          {{- include "thumbnailer.containerImage" . | nindent 10 }}
          ports:
            - {name: {{ .name }}, containerPort: {{ .port }}}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "thumbnailer.containerSecurityContext" . | nindent 12 }}
          {{- .container | nindent 10 }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 256Mi}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
        # These cannot change, so no version is among them.
        labels:
          {{- include "thumbnailer.selectorLabels" $it | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.persistence.storageClass }}
        storageClassName: {{ quote . }}
        {{- end }}
        resources:
          requests: {storage: {{ include "thumbnailer.string" .values.persistence.size | quote }}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "thumbnailer.labels" $it | nindent 4 }}
  {{- include "thumbnailer.annotations" $it | nindent 2 }}
spec:
  selector:
    {{- include "thumbnailer.selectorLabels" $it | nindent 4 }}
  ports:
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}
{{- end }}
