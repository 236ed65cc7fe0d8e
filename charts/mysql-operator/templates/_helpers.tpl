{{- define "mysql-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that what is appended still fits into the 63 of a Service or a label. */}}
{{- define "mysql-operator.fullname" -}}
{{- $name := include "mysql-operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the replicas; a Deployment's selector can never be changed, so nothing else belongs here. */}}
{{- define "mysql-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mysql-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mysql-operator.labels" -}}
{{ include "mysql-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "mysql-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "mysql-operator.fullname" .) -}}
{{- end -}}

{{/* How the API server names the operator in requests; used in CEL, so it stands in single quotes there. */}}
{{- define "mysql-operator.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "mysql-operator.serviceAccount" . }}
{{- end -}}

{{- define "mysql-operator.keySecret" -}}
{{ include "mysql-operator.fullname" . }}-key
{{- end -}}

{{- define "mysql-operator.authoritySecret" -}}
{{ include "mysql-operator.fullname" . }}-ca
{{- end -}}

{{/* Written by cert-manager, never by the operator. */}}
{{- define "mysql-operator.certificateSecret" -}}
{{ include "mysql-operator.fullname" . }}-tls
{{- end -}}

{{/* Namespaces that nobody may put a MySQL into, and that the operator never writes a database's objects into. */}}
{{- define "mysql-operator.closedNamespaces" -}}
[{{ .Release.Namespace | quote }}, "kube-system"]
{{- end -}}

{{/*
Namespaces whose MySQL resources this release looks after. The operator's own namespace and kube-system are
outside: a webhook there could keep the operator, or the cluster, from starting. A policy refuses a MySQL in them.
*/}}
{{- define "mysql-operator.namespaceSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    {{- if .Values.watchNamespaces }}
    operator: In
    values: {{ toJson .Values.watchNamespaces }}
    {{- else }}
    operator: NotIn
    values: {{ include "mysql-operator.closedNamespaces" . }}
    {{- end }}
{{- end -}}

{{/*
The CA of the webhook named by `name` in the live configuration of kind `kind`. The operator writes it there at run
time, and an upgrade must not take it away: every MySQL would be refused until it is back.
*/}}
{{- define "mysql-operator.caBundle" -}}
{{- $live := lookup "admissionregistration.k8s.io/v1" .kind "" (include "mysql-operator.fullname" .root) -}}
{{- range (dig "webhooks" list (default dict $live)) -}}
{{- if eq .name $.name }}{{ dig "clientConfig" "caBundle" "" . }}{{ end -}}
{{- end -}}
{{- end -}}
