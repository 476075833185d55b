{{/*
What one kind of pod may receive and reach. Given root, component, ingress: a list of from (empty: everybody) and port;
and maybe egress: rules as YAML, to which DNS is added. Without egress nothing is reached, nor looked up.
*/}}
{{- define "thumbnailer.policy" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "thumbnailer.fullname" .root }}-{{ .component }}
  labels:
    {{- include "thumbnailer.labels" . | nindent 4 }}
  {{- include "thumbnailer.annotations" (dict "root" .root) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "thumbnailer.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .ingress }}
  ingress:
    {{- range . }}
    - ports: [{port: {{ .port }}, protocol: TCP}]
      {{- with .from }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- with .egress }}
  egress:
    {{- . | trim | nindent 4 }}
    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
      to:
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: kube-system}
        # Where nodes keep a cache of names of their own.
        - ipBlock: {cidr: 169.254.20.10/32}
    {{- with $.root.Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* Pods of a component of this release, as a peer. Given root and component. */}}
{{- define "thumbnailer.peer" -}}
podSelector:
  matchLabels:
    {{- include "thumbnailer.selectorLabels" . | nindent 4 }}
{{- end }}

{{/* A way to them. Given root, component and port. */}}
{{- define "thumbnailer.to" }}
- ports: [{port: {{ .port }}, protocol: TCP}]
  to:
    - {{- include "thumbnailer.peer" . | nindent 6 }}
{{- end }}

{{/*
The ways of a program to its stores. A policy knows no host names, so an external store is its port, wherever that is.
Roles of AWS come from STS, on the same port as S3 and SQS, or from EKS's agent on the node.
*/}}
{{- define "thumbnailer.toStores" -}}
{{- $ports := list }}
{{- range $store, $port := dict "postgresql" 5432 "minio" 9000 "elasticmq" 9324 }}
{{- if (index $.Values $store).enabled }}
{{- include "thumbnailer.to" (dict "root" $ "component" $store "port" $port) }}
{{- end }}
{{- end }}
{{- if not .Values.postgresql.enabled }}{{ $ports = append $ports (int .Values.database.port) }}{{ end }}
{{- if not .Values.minio.enabled }}{{ $ports = append $ports (include "thumbnailer.portOf" .Values.objects.endpoint | int) }}{{ end }}
{{- if eq .Values.queue.type "sqs" }}{{ $ports = append $ports (include "thumbnailer.portOf" .Values.queue.endpoint | int) }}{{ end }}
{{- with $ports | uniq }}
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- if and (or (not .Values.minio.enabled) (eq .Values.queue.type "sqs")) (not (include "thumbnailer.awsSecret" .)) }}
- ports: [{port: 80, protocol: TCP}]
  to:
    - ipBlock: {cidr: 169.254.170.23/32}
{{- end }}
{{- end }}

{{/*
The way of webhooks: out to the internet, and to no private network that is not named. The program judges each address
too; this holds where it errs.
*/}}
{{- define "thumbnailer.toReceivers" }}
- ports:
    {{- range .Values.webhooks.ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["fc00::/7", "fe80::/10"]
    {{- range .Values.webhooks.networks }}
    - ipBlock: {cidr: {{ quote . }}}
    {{- end }}
{{- end }}

{{/* The way of the API to the issuer of tokens and its keys, on their ports: a policy knows no host names. */}}
{{- define "thumbnailer.toIssuer" -}}
{{- $ports := list }}
{{- range compact (list .Values.auth.oidc.issuer .Values.auth.oidc.jwksUrl) }}
{{- $ports = append $ports (include "thumbnailer.portOf" . | int) }}
{{- end }}
{{- with $ports | uniq }}
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end }}

{{/* The port of an address; 443 where it names none and is not http. */}}
{{- define "thumbnailer.portOf" -}}
{{- $named := regexFind ":[0-9]+$" (default "https://aws" . | urlParse).host | trimPrefix ":" -}}
{{- default (ternary "80" "443" (hasPrefix "http://" .)) $named -}}
{{- end }}
