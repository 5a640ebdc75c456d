{{- /* labels COMPONENT: the labels of config, which are also the selectors. */ -}}
{{- define "keywright.labels" -}}
app.kubernetes.io/name: keywright
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- /* image VERSION VALUES: the name of an image. A digest pins it for good. */ -}}
{{- define "keywright.image" -}}
{{- $version := index . 0 }}
{{- with index . 1 }}
{{- printf "%s:%s" .repository (.tag | default $version) }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{- /* pod VALUES: where Pods run, as both programs have it. */ -}}
{{- define "keywright.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* spread COMPONENT: on different nodes if possible; on a single node all replicas still run. */ -}}
{{- define "keywright.spread" -}}
{{- $component := . }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "keywright.labels" $component | nindent 6 }}
{{- end }}
{{- end }}

{{- /* setting NAME VALUE: a setting as the text that ConfigMap keywright-config has. */ -}}
{{- define "keywright.setting" -}}
{{- $name := index . 0 }}
{{- $value := index . 1 }}
{{- if has $name (list "ALLOWED_USERS" "CREDENTIALS" "TRUSTED_PROXIES") | and (kindIs "slice" $value) }}
{{- join ", " $value }}
{{- else if kindIs "slice" $value }}
{{- toYaml $value }}
{{- else if kindIs "float64" $value }}
{{- int64 $value }}
{{- else }}
{{- $value }}
{{- end }}
{{- end }}

{{- /* replicas: those of the server. A SQLite file has one user. */ -}}
{{- define "keywright.replicas" -}}
{{- $postgresql := not (empty .Values.server.database.secretName) }}
{{- $replicas := .Values.server.replicas }}
{{- if kindIs "invalid" $replicas }}
{{- $replicas = ternary 2 1 $postgresql }}
{{- end }}
{{- if and (gt (int $replicas) 1) (not $postgresql) }}
{{- fail "server.replicas: a SQLite file has one replica; set server.database.secretName to use PostgreSQL" }}
{{- end }}
{{- $replicas }}
{{- end }}

{{- /* rule DIRECTION PEERS PORTS: a rule of a NetworkPolicy for TCP. No peers: everywhere. No ports: all. */ -}}
{{- define "keywright.rule" -}}
{{- $rule := dict }}
{{- with index . 1 }}{{ $_ := set $rule (index $ 0) . }}{{ end }}
{{- $ports := list }}
{{- range index . 2 }}{{ $ports = append $ports (dict "port" . "protocol" "TCP") }}{{ end }}
{{- with $ports }}{{ $_ := set $rule "ports" . }}{{ end }}
{{- toYaml $rule }}
{{- end }}

{{- /* commonEgress VALUES: what both programs connect to. */ -}}
{{- define "keywright.commonEgress" -}}
# DNS, and the API server, which no selector finds.
- ports:
  {{- range .dnsPorts }}
  - port: {{ . }}
    protocol: UDP
  - port: {{ . }}
    protocol: TCP
  {{- end }}
- {{- include "keywright.rule" (list "to" .apiServer.to .apiServer.ports) | nindent 2 }}
{{- end }}

{{- /* webPort CONTEXT TARGET: the port of a Service for HTTP, or for HTTPS where the server has a certificate. */ -}}
{{- define "keywright.webPort" -}}
{{- $tls := (index . 0).Values.server.tls }}
{{- if not $tls.secretName }}
{{- if $tls.clientCA.secretName }}{{ fail "server.tls.clientCA: needs server.tls.secretName" }}{{ end }}
{{- if $tls.certificate.issuerRef }}{{ fail "server.tls.certificate: needs server.tls.secretName" }}{{ end }}
{{- end -}}
- name: {{ ternary "https" "http" (not (empty $tls.secretName)) }}
  port: {{ ternary 443 80 (not (empty $tls.secretName)) }}
  targetPort: {{ index . 1 }}
{{- end }}
