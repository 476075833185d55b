{{/*
What is refused before anything is deployed, where values.schema.json cannot say it: one definition a topic, which gives
a sentence a line. All sentences are shown at once.
*/}}
{{- define "thumbnailer.refusals" -}}
{{- end }}
