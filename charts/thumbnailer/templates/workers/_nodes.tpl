{{/*
Where a pool's pods run: the labels and taints of the clouds, and the seconds that a pod has there once its spot node is
called back. What stands here is what the clouds themselves write on nodes; sources:
  eks        AWS's EKS user guide, managed node groups: label eks.amazonaws.com/capacityType: SPOT, no taint; notice 2 minutes
  karpenter  Karpenter's scheduling page, well-known labels; a NodePool's taints are its owner's; notice 2 minutes
  gke        Google's GKE pages on Spot VMs and GPUs: label and maybe taint cloud.google.com/gke-spot=true, taint
             nvidia.com/gpu=present; a pod has 15 of the notice's 30 seconds, whatever it asks for
  aks        Microsoft's AKS pages: label and taint kubernetes.azure.com/scalesetpriority=spot; label
             kubernetes.azure.com/accelerator: nvidia, and the taint sku=gpu that all their examples use; notice 30 seconds
A GPU's node is found by the resource nvidia.com/gpu; a label is only asked for where the cloud has a fixed one.
*/}}
{{- define "thumbnailer.workers.clouds" -}}
eks:
  spot:
    nodeSelector: {eks.amazonaws.com/capacityType: SPOT}
    tolerations: []
    seconds: 110
  gpu:
    nodeSelector: {}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
karpenter:
  spot:
    nodeSelector: {karpenter.sh/capacity-type: spot}
    tolerations: []
    seconds: 110
  gpu:
    nodeSelector: {karpenter.k8s.aws/instance-gpu-manufacturer: nvidia}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
gke:
  spot:
    nodeSelector: {cloud.google.com/gke-spot: "true"}
    tolerations: [{key: cloud.google.com/gke-spot, operator: Equal, value: "true", effect: NoSchedule}]
    seconds: 15
  gpu:
    nodeSelector: {}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
aks:
  spot:
    nodeSelector: {kubernetes.azure.com/scalesetpriority: spot}
    tolerations: [{key: kubernetes.azure.com/scalesetpriority, operator: Equal, value: spot, effect: NoSchedule}]
    seconds: 25
  gpu:
    nodeSelector: {kubernetes.azure.com/accelerator: nvidia}
    tolerations:
      - {key: sku, operator: Equal, value: gpu, effect: NoSchedule}
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
{{- end }}

{{/* What the preset of `nodes` writes, as YAML; empty for `any`. Given root and pool. */}}
{{- define "thumbnailer.workers.preset" -}}
{{- $nodes := .pool.nodes -}}
{{- if eq $nodes "spotOnCloud" }}{{ $nodes = ternary "any" "spot" (eq .root.Values.cloud "") }}{{ end -}}
{{- if ne $nodes "any" -}}
{{- dig .root.Values.cloud $nodes dict (include "thumbnailer.workers.clouds" . | fromYaml) | toYaml -}}
{{- end -}}
{{- end }}

{{/* The pool's values with the preset in its nodeSelector and tolerations, as JSON. Given root and pool. */}}
{{- define "thumbnailer.workers.placed" -}}
{{- $preset := include "thumbnailer.workers.preset" . | fromYaml -}}
{{- $nodeSelector := mergeOverwrite (dict) ($preset.nodeSelector | default dict) (.pool.nodeSelector | default dict) -}}
{{- $tolerations := concat ($preset.tolerations | default list) (.pool.tolerations | default list) -}}
{{- mergeOverwrite (deepCopy .pool) (dict "nodeSelector" $nodeSelector "tolerations" $tolerations) | toJson -}}
{{- end }}

{{/* Requests and limits, with the GPU that `nodes: gpu` asks for. Given pool. */}}
{{- define "thumbnailer.workers.resources" -}}
{{- $gpu := ternary (dict "limits" (dict "nvidia.com/gpu" 1)) dict (eq .pool.nodes "gpu") -}}
{{- mergeOverwrite (dict) $gpu (deepCopy (.pool.resources | default dict)) | toYaml -}}
{{- end }}

{{/*
Seconds that a worker goes on with its jobs when it is told to end: as long as a job may take (ChildLimits.wall_seconds
in worker/thumbnailer_worker/child/limits.py), less where a spot node does not stay that long. Given root and pool.
*/}}
{{- define "thumbnailer.workers.grace" -}}
{{- $notice := (include "thumbnailer.workers.preset" . | fromYaml).seconds -}}
{{- $job := add 10 (ceil (mulf 4 .pool.childCpuSeconds)) -}}
{{- if not (kindIs "invalid" .pool.graceSeconds) -}}
{{- int64 .pool.graceSeconds -}}
{{- else if $notice -}}
{{- min $job (sub $notice (include "thumbnailer.workers.ending" .)) -}}
{{- else -}}
{{- $job -}}
{{- end -}}
{{- end }}

{{/* Seconds after that, in which a worker gives back what it could not finish (RELEASE_SECONDS in shutdown.py) and ends. */}}
{{- define "thumbnailer.workers.ending" -}}7{{- end }}
