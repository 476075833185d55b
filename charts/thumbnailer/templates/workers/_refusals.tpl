{{/* What is refused of pools before anything is deployed: the list. A sentence a line, with the value and what to do. */}}
{{- define "thumbnailer.workers.refusals" -}}
{{- range $name, $pool := include "thumbnailer.workers.pools" . | fromJson }}
{{- $given := dict "root" $ "name" (printf "workers.pools.%s" $name) "pool" (set $pool "name" $name) }}
{{- include "thumbnailer.workers.refuse.names" $given }}
{{- include "thumbnailer.workers.refuse.queues" $given }}
{{- include "thumbnailer.workers.refuse.borrows" $given }}
{{- include "thumbnailer.workers.refuse.replicas" $given }}
{{- include "thumbnailer.workers.refuse.nodes" $given }}
{{- include "thumbnailer.workers.refuse.cooldown" $given }}
{{- include "thumbnailer.workers.refuse.memory" $given }}
{{- include "thumbnailer.workers.refuse.gate" $given }}
{{- include "thumbnailer.workers.refuse.settings" $given }}
{{- end }}
{{- include "thumbnailer.workers.refuse.unserved" . }}
{{- include "thumbnailer.workers.refuse.keda" . }}
{{- end }}

{{- define "thumbnailer.workers.refuse.names" }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$" .pool.name) }}
{{ .name }}: name a pool in up to 16 small letters, digits and -: names of Kubernetes objects are made of it.
{{- end }}
{{- end }}

{{- define "thumbnailer.workers.refuse.queues" }}
{{- $queues := .pool.queues | default list }}
{{- if not $queues }}
{{ .name }}.queues is empty: name the queues that the pool serves, or turn it off with enabled: false.
{{- end }}
{{- range $queues }}
{{- if not (regexMatch "^[a-z0-9][a-z0-9-]{0,39}$" (toString .)) }}
{{ $.name }}.queues has {{ quote . }}: name a queue in up to 40 small letters, digits and -.
{{- end }}
{{- end }}
{{- if ne (len $queues) (len (uniq $queues)) }}
{{ .name }}.queues names a queue twice: name each once.
{{- end }}
{{- end }}

{{/* Work that waits for a price, or for machines of a kind, is not for machines at any price or of any kind. */}}
{{- define "thumbnailer.workers.refuse.borrows" }}
{{- $pools := include "thumbnailer.workers.pools" .root | fromJson }}
{{- $served := include "thumbnailer.workers.queues" .root | splitList "," }}
{{- range $queue := .pool.borrows | default list }}
{{- if has $queue $.pool.queues }}
{{ $.name }}.borrows has {{ quote $queue }}, which its queues have: name it in one of the two.
{{- else if not (has $queue $served) }}
{{ $.name }}.borrows has {{ quote $queue }}, which no enabled pool serves: name a queue of another pool.
{{- end }}
{{- range $owner, $other := $pools }}
{{- if and (has $queue $other.queues) (ne $owner $.pool.name) }}
{{- if not (kindIs "invalid" $other.priceGate.below) }}
{{ $.name }}.borrows has {{ quote $queue }}, whose pool has workers.pools.{{ $owner }}.priceGate: work that waits for its price must not be done by a pool that runs at any. Leave it out of borrows, or take the gate away.
{{- else if include "thumbnailer.workers.preset" (dict "root" $.root "pool" $other) }}
{{ $.name }}.borrows has {{ quote $queue }}, whose pool has workers.pools.{{ $owner }}.nodes: {{ $other.nodes }}: its work is for those nodes. Leave it out of borrows, or set that pool's nodes to any.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.workers.refuse.replicas" }}
{{- with .pool.replicas }}
{{- if lt (int64 .to) 1 }}
{{ $.name }}.replicas.to is {{ .to }}: it is 1 at least. A pool that is not to run has enabled: false.
{{- else if gt (int64 .from) (int64 .to) }}
{{ $.name }}.replicas.from is {{ .from }}, more than replicas.to, which is {{ .to }}.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.workers.refuse.nodes" }}
{{- if and (has .pool.nodes (list "spot" "gpu")) (not .root.Values.cloud) }}
{{ .name }}.nodes is {{ .pool.nodes }}, and cloud is not set: set it to eks, karpenter, gke or aks, or use nodes: any with nodeSelector and tolerations of your own.
{{- end }}
{{- end }}

{{/* A pool should not end sooner than KEDA finds out that its queue cannot be read. */}}
{{- define "thumbnailer.workers.refuse.cooldown" }}
{{- $least := mul (int64 .pool.pollingInterval) (add1 (int64 .pool.fallback.failureThreshold)) }}
{{- if and .root.Values.autoscaling.enabled (le (int64 .pool.cooldownPeriod) $least) }}
{{ .name }}.cooldownPeriod is {{ int64 .pool.cooldownPeriod }}: it has to be more than pollingInterval times (fallback.failureThreshold + 1), which is {{ $least }}: a pool should not end before KEDA knows whether its queue can be read.
{{- end }}
{{- end }}

{{/* The worker itself, its scratch folder, which is in memory, and its children: as capacity.py counts. */}}
{{- define "thumbnailer.workers.refuse.memory" }}
{{- $limit := dig "limits" "memory" "" (.pool.resources | default dict) }}
{{- $scratch := include "thumbnailer.workers.mebibytes" .pool.scratch }}
{{- $jobs := int64 (.pool.concurrency | default 1) }}
{{- $needed := add 192 (int64 $scratch) (mul $jobs (int64 .pool.childMemoryMiB)) }}
{{- if and $limit (lt (include "thumbnailer.workers.mebibytes" $limit | int64) $needed) }}
{{ .name }}.resources.limits.memory is {{ include "thumbnailer.string" $limit }}, and the worker's 192Mi, its scratch of {{ .pool.scratch }} and {{ $jobs }} times childMemoryMiB of {{ int64 .pool.childMemoryMiB }} are {{ $needed }}Mi: raise the limit, or lower concurrency, childMemoryMiB or scratch.
{{- end }}
{{- end }}

{{/* A quantity of Kubernetes, such as 1.5Gi, 1500M or 1500000000, as a whole number of MiB. */}}
{{- define "thumbnailer.workers.mebibytes" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $quantity := include "thumbnailer.string" . -}}
{{- $unit := regexFind "[a-zA-Z]*$" $quantity -}}
{{- divf (mulf (trimSuffix $unit $quantity | float64) (index $units $unit)) 1048576 | floor | int64 -}}
{{- end }}

{{- define "thumbnailer.workers.refuse.gate" }}
{{- $gate := .pool.priceGate }}
{{- $sources := without (list ($gate.source.spot | default "") ($gate.source.url | default "")) "" }}
{{- if not (kindIs "invalid" $gate.below) }}
{{- if gt (len $sources) 1 }}
{{ .name }}.priceGate.source has both spot and url: the price comes from one of them.
{{- else if not $sources }}
{{ .name }}.priceGate.below is {{ $gate.below }}, and source is empty: name an instance type as source.spot, or an address as source.url.
{{- end }}
{{- else if or $sources (not (kindIs "invalid" $gate.openAfter)) }}
{{ .name }}.priceGate has no below: set the highest price at which the pool runs, or leave the gate out.
{{- end }}
{{- end }}

{{/* Those have values of their own, from which grace, limits and KEDA's triggers follow. */}}
{{- define "thumbnailer.workers.refuse.settings" }}
{{- $own := dict "QUEUES" "queues" "BORROWS" "borrows" "CONCURRENCY" "concurrency" "CHILD_MEMORY_MIB" "childMemoryMiB" "CHILD_CPU_SECONDS" "childCpuSeconds" "GRACE_SECONDS" "graceSeconds" "SCRATCH" "scratch" }}
{{- range $setting, $value := .pool.settings | default dict }}
{{- with index $own $setting }}
{{ $.name }}.settings.{{ $setting }} is set by the chart: use {{ $.name }}.{{ . }}.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.workers.refuse.unserved" }}
{{- $served := include "thumbnailer.workers.queues" . | splitList "," }}
{{- range list "express" "standard" "economy" }}
{{- if not (has . $served) }}
No enabled pool serves the queue {{ . }}: its jobs would wait for ever. Name it in the queues of a pool under workers.pools.
{{- end }}
{{- end }}
{{- end }}

{{/* Only where there is a cluster to ask: `helm template` and GitOps know no kinds, and so not v1/Pod either. */}}
{{- define "thumbnailer.workers.refuse.keda" }}
{{- if .Values.autoscaling.enabled }}
{{- if and (.Capabilities.APIVersions.Has "v1/Pod") (not (.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject")) }}
This cluster has no KEDA, which scales the workers. Install it first: helm install keda keda --repo https://kedacore.github.io/charts --namespace keda --create-namespace, or run a fixed number of workers with autoscaling.enabled=false.
{{- end }}
{{- if eq .Values.queue.type "sqs" }}
{{- if and (eq .Values.autoscaling.aws.identity "keys") (not .Values.queue.existingSecret) }}
autoscaling.aws.identity is keys, and queue.existingSecret is empty: name the Secret whose keys let KEDA read the queues, or use identity: pod.
{{- end }}
{{- if not (or .Values.queue.account .Values.queue.endpoint) }}
queue.account is empty: KEDA needs the AWS account to build the queues' addresses.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
