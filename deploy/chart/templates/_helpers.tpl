{{- define "karpenter-bot.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "karpenter-bot.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "karpenter-bot.labels" -}}
{{ include "karpenter-bot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "karpenter-bot.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "karpenter-bot.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ required "serviceAccount.name: needed where the chart makes none" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "karpenter-bot.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The bot's configuration file: what the values say, over what follows from the rest of the chart. */}}
{{- define "karpenter-bot.config" -}}
{{- $slack := dict "mode" .Values.slack.mode "listen" "0.0.0.0:8080" -}}
{{- $config := dict "slack" $slack "karpenterNamespaces" (list .Values.karpenter.namespace) -}}
{{- if not .Values.store.existingSecret -}}
{{- $_ := set $config "store" (dict "url" "sqlite:////var/lib/karpenter-bot/store.sqlite3") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/*
The roles of deploy/manifests/rbac-*.yaml, which files/rbac links to: one truth for both ways to install. Names get the
release's, subjects its service account, and what is in kube-system there goes where Karpenter runs.
*/}}
{{- define "karpenter-bot.roles" -}}
{{- $root := .root -}}
{{- $fullname := include "karpenter-bot.fullname" $root -}}
{{- range splitList "\n---\n" ($root.Files.Get .file) -}}
{{- $object := fromYaml . -}}
{{- if has $object.kind (list "ClusterRole" "Role" "ClusterRoleBinding" "RoleBinding") }}
---
{{- $name := $object.metadata.name | replace "karpenter-bot" $fullname }}
{{- $_ := set $object.metadata "name" $name }}
{{- $_ := set $object.metadata "labels" (include "karpenter-bot.labels" $root | fromYaml) }}
{{- if eq (default "" $object.metadata.namespace) "kube-system" }}
{{- $_ := set $object.metadata "namespace" $root.Values.karpenter.namespace }}
{{- else if $object.metadata.namespace }}
{{- $_ := set $object.metadata "namespace" $root.Release.Namespace }}
{{- end }}
{{- if $object.roleRef }}
{{- $_ := set $object.roleRef "name" ($object.roleRef.name | replace "karpenter-bot" $fullname) }}
{{- $account := include "karpenter-bot.serviceAccount" $root }}
{{- $_ := set $object "subjects" (list (dict "kind" "ServiceAccount" "name" $account "namespace" $root.Release.Namespace)) }}
{{- end }}
{{ toYaml $object }}
{{- end -}}
{{- end -}}
{{- end -}}
