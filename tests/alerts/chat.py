"""What is no alert: people's talk, deployments, pushes, reports, other bots' replies. Nothing may be recognised in these."""

from __future__ import annotations

from tests.alerts import layouts as by
from tests.alerts.layouts import Event

SAID = """
morning all, are anyone else's pods slow to start today?
my pod is pending again :( anybody looked at karpenter lately?
KubePodNotReady fired twice last night for checkout, both times it resolved itself
can we raise the limit of NodePool gpu-a100? we have 12 pods pending in team-a
I'd like to silence KubePodNotReady in namespace invoicing until Monday
the node ip-10-0-12-7.eu-west-1.compute.internal was not ready for a while yesterday, all good now
FailedScheduling is what I see most of the time, any docs?
0/23 nodes are available, classic
Lunch at 12? The new place near the office
retro notes: alerts are too noisy, see https://alertmanager.example/#/alerts
[FIRING:1] lol that's what my inbox looks like
/karpenter why is a great command btw
RESOLVED: we go with option B
please review https://github.com/x/y/pull/12 (karpenter: raise cpu limit of on-demand-x86)
pod: the band, not the k8s thing
namespace: who owns team-a?
why is there no node for training? cluster: prod
node not ready is a symptom, not a cause
kubectl describe pod trainer-0 -n ml-train shows nothing for me
kubectl get pods -A | grep Pending
how do I drain a node without killing the job?
we should alert when a NodeClaim is stuck for more than 10 minutes
the JobNotCompleted alert is broken, it fires for cronjobs
파드가 계속 Pending 인데 혹시 아시는 분?
노드가 왜 사라졌는지 모르겠네요
오늘 배포 완료했습니다. checkout 네임스페이스 파드 12개 정상입니다
アラートが多すぎる
请问 Pending 的 pod 怎么处理?
היי, הפוד שלי לא עולה
😬🔥🔥🔥
ok
+1
thanks!
@here deploy freeze starts at 18:00
status: green, nothing pending on my side
did the EC2 spot interruption hit us again?
Karpenter 1.9 is out, release notes: https://karpenter.sh
our p5 capacity reservation starts on Monday
the alarm clock went off at 5 :sob:
Triggered: my allergy. Recovered on the sofa.
can someone resolve the merge conflict in nodepool.yaml
job opening: platform engineer (Kubernetes, Karpenter), refer a friend
who is on call? pagerduty says Ines
the dashboard is down: https://grafana.example/d/abc?orgId=1
Datadog bill went up 20 %, mostly custom metrics
opsgenie will be shut down in 2027, we need a plan
""".strip().split("\n")

PASTED = (
    "here's my values file\n```nodepool:\n  name: gpu-a100\n  limits:\n    cpu: 400\nnamespace: karpenter```",
    "```apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata:\n  name: gpu\nspec:\n  limits:\n    cpu: 100```",
    "```NAME READY STATUS RESTARTS AGE\ncart-7c9f6b5d48-xk2lp 1/1 Running 0 3d```",
    "```Name:         cart-7c9f6b5d48-xk2lp\nNamespace:    checkout\nStatus:       Running\nNode:         ip-10-0-12-7.ec2.internal/10.0.12.7```",
    '```Traceback (most recent call last):\n  File "train.py", line 3\nRuntimeError: CUDA out of memory```',
    '```- alert: KubePodNotReady\n  expr: sum by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Unknown"}) > 0\n  for: 15m\n  labels:\n    severity: warning```',
    '```{"level":"info","msg":"request served","path":"/healthz","status":200}```',
    "```helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --namespace kube-system```",
    "```Name:  grocery list\nmilk, eggs```",
    "```route:\n  group_by: ['namespace']\n  receiver: slack\nreceivers:\n- name: slack```",
    "my notes\n• pod: what it is\n• namespace: where it lives\n• node: what it runs on",
    '```{"level":"INFO","time":"2025-11-23T19:58:12.114Z","logger":"controller","message":"registered nodeclaim","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"gpu-a100-8kx2p"}}```',
)


def _apps() -> list[tuple[str, Event]]:
    deployed = {
        "color": "18be52",
        "title": "storefront-api",
        "title_link": "https://argocd.example/applications/storefront-api",
        "fallback": "Application is now running",
        "fields": [{"title": "Sync Status", "value": "Synced"}, {"title": "Namespace", "value": "checkout"}],
    }
    failed = {
        "color": "E96D76",
        "title": "payments",
        "title_link": "https://argocd.example/applications/payments",
        "text": "Application payments sync is failed: pods are pending",
        "fields": [{"title": "Sync Status", "value": "OutOfSync"}, {"title": "Health", "value": "Degraded"}],
    }
    push = {
        "color": "24292f",
        "fallback": "[no preview available]",
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "`<https://github.com/x/y/commit/1|91c0a3e>` - silence KubePodNotReady for invoicing",
                },
            }
        ],
    }
    pull = {
        "color": "36a64f",
        "title": "#42 KubeNodeNotReady: raise `for` to 30m",
        "title_link": "https://github.com/x/y/pull/42",
        "text": "namespace: monitoring\npod: none",
        "fallback": "pull request",
    }
    found: list[tuple[str, Event]] = [
        (
            "argocd-deployed",
            by.app(
                "Argo CD",
                ":white_check_mark: Application storefront-api has been deployed; 12 pods running",
                attachments=[deployed],
            ),
        ),
        ("argocd-failed", by.app("Argo CD", ":exclamation: Application payments is degraded", attachments=[failed])),
        ("github-push", by.app("GitHub", "meadow pushed 2 commits to heron/infra:main", attachments=[push])),
        ("github-pull", by.app("GitHub", "Pull request opened by meadow", attachments=[pull])),
        ("github-actions", by.app("GitHub", "Workflow run failed: e2e on main (node 20, job test-pods)")),
        (
            "gitlab",
            by.app(
                "GitLab",
                "Pipeline #123 has failed in 12:01",
                attachments=[
                    {
                        "color": "danger",
                        "title": "Pipeline failed",
                        "fallback": "failed",
                        "text": "Job: deploy-checkout\nStage: deploy",
                    }
                ],
            ),
        ),
        (
            "jenkins",
            by.webhook(
                "Jenkins",
                {
                    "color": "danger",
                    "fallback": "FAILED",
                    "text": "FAILURE: Job 'train-image [42]' (https://jenkins.example/job/42)",
                },
            ),
        ),
        (
            "circleci",
            by.app(
                "CircleCI",
                "Job Failed. See the log",
                attachments=[{"color": "ed5c5c", "fallback": "x", "text": "*Project*: infra\n*Branch*: main"}],
            ),
        ),
        (
            "flux",
            by.webhook(
                "flux",
                {
                    "color": "good",
                    "author_name": "kustomization/apps.flux-system",
                    "text": "Reconciliation finished in 2s, next run in 10m",
                    "fields": [{"title": "revision", "value": "main@sha1:4be19c07"}],
                    "fallback": "flux",
                },
            ),
        ),
        (
            "flux-failed",
            by.webhook(
                "flux",
                {
                    "color": "danger",
                    "author_name": "helmrelease/checkout.checkout",
                    "text": "Helm upgrade failed: timed out waiting for the condition, pods not ready",
                    "fallback": "flux",
                },
            ),
        ),
        (
            "jira",
            by.app(
                "Jira Cloud",
                "meadow created a Task OPS-12: KubePodNotReady is noisy",
                attachments=[{"title": "OPS-12", "fallback": "x", "text": "Status: Open\nPriority: High"}],
            ),
        ),
        (
            "sentry",
            by.app(
                "Sentry",
                "",
                attachments=[
                    {
                        "color": "e03e2f",
                        "title": "RuntimeError: pod not found",
                        "title_link": "https://sentry.io/x",
                        "text": "api/checkout.py in get",
                        "fallback": "RuntimeError",
                        "footer": "CHECKOUT-1A",
                    }
                ],
            ),
        ),
        (
            "statuspage",
            by.app(
                "Statuspage",
                "Investigating - AWS EC2 eu-west-1 Increased API Error Rates",
                attachments=[{"color": "warning", "fallback": "x", "text": "Status: Investigating"}],
            ),
        ),
        ("rss", by.app("RSS", "Karpenter v1.9.0 released: fixes pods pending forever")),
        ("calendar", by.app("Google Calendar", "Event starting now: Node pool migration")),
        ("polly", by.app("Polly", "Stand-up: what blocks you? pods pending")),
        (
            "atlantis",
            by.webhook(
                "atlantis",
                {
                    "color": "good",
                    "fallback": "apply",
                    "text": "Terraform apply succeeded in nodepools/prod",
                    "fields": [{"title": "Workspace", "value": "prod"}],
                },
            ),
        ),
        ("renovate", by.app("Renovate", "Update Helm release karpenter to v1.9.0")),
        ("spinnaker", by.app("Spinnaker", "Stage Deploy (Manifest) in pipeline checkout completed successfully")),
        (
            "botkube-reply",
            by.app(
                "Botkube",
                "`kubectl get pods -n checkout` on `osprey-prod`\n```NAME READY STATUS\ncart-0 0/1 Pending```",
                thread_ts="1763890000.1",
            ),
        ),
        (
            "holmes-reply",
            by.app(
                "HolmesGPT",
                "The pod checkout/cart-7c9f6b5d48-xk2lp is Pending because no node has 8 GPUs.",
                thread_ts="1763890000.1",
            ),
        ),
        (
            "own-answer",
            by.app(
                "karpenter-bot",
                "g6e.8xlarge has 1 EFA interface, you asked for 8.",
                blocks=[
                    {
                        "type": "section",
                        "text": {"type": "mrkdwn", "text": "*g6e.8xlarge has 1 EFA interface, you asked for 8.*"},
                    },
                    {
                        "type": "context",
                        "elements": [
                            {"type": "mrkdwn", "text": "Pod `ml/train-0` in `osprey-prod`, Pending for 12 min"}
                        ],
                    },
                ],
            ),
        ),
        (
            "grafana-report",
            by.app(
                "Grafana",
                "Weekly report: Kubernetes / Pods",
                attachments=[
                    {
                        "title": "Kubernetes / Pods",
                        "fallback": "report",
                        "title_link": "https://grafana.example/d/abc/pods?orgId=1",
                        "footer": "Grafana v11.6.0",
                    }
                ],
            ),
        ),
        (
            "grafana-share",
            by.app(
                "Grafana",
                "meadow shared a dashboard panel: Pods pending",
                attachments=[{"fallback": "panel", "image_url": "https://grafana.example/x.png"}],
            ),
        ),
        ("grafana-oncall-shift", by.app("Grafana OnCall", "meadow is now on call for Platform")),
        (
            "datadog-dashboard",
            by.app(
                "Datadog",
                "meadow shared a graph: pods pending by namespace",
                attachments=[
                    {
                        "title": "Pods pending",
                        "title_link": "https://app.datadoghq.com/dashboard/abc",
                        "fallback": "graph",
                    }
                ],
            ),
        ),
        ("datadog-digest", by.app("Datadog", "Your daily monitor summary: 3 alerts, 2 recovered")),
        ("pagerduty-oncall", by.app("PagerDuty", "Ines Moreau is now on call for Platform 24x7")),
        ("pagerduty-shift", by.app("PagerDuty", "On-call handoff: Platform, from Ines to Min")),
        ("opsgenie-oncall", by.app("Opsgenie", "You are on call for platform_schedule until Monday")),
        (
            "amazonq-pipeline",
            by.app(
                "Amazon Q",
                "AWS CodePipeline Notification | eu-north-1 | Account: 210987650123",
                attachments=[{"fallback": "x", "color": "2eb886", "text": "checkout pipeline succeeded"}],
            ),
        ),
        (
            "amazonq-answer",
            by.app("Amazon Q", "I can answer questions about your AWS resources. Try: list my EKS nodes"),
        ),
        (
            "amazonq-budget",
            by.app(
                "Amazon Q",
                "AWS Budgets Notification | Account: 210987650123",
                attachments=[{"fallback": "x", "text": "You exceeded your budget"}],
            ),
        ),
        ("prometheus-release", by.webhook("Prometheus", text="Prometheus 3.1 was rolled out to osprey-prod")),
        ("alertmanager-config", by.app("alertmanager-bridge", "Configuration reloaded, 12 receivers")),
        (
            "karpenter-release-bot",
            by.app("release-bot", "karpenter chart 1.9.0 deployed to kube-system on osprey-prod, 2 pods ready"),
        ),
        ("cost-report", by.app("Kubecost", "Daily cost: namespace checkout $12.30, node ip-10-0-12-7 $4.20")),
        ("k8s-upgrade", by.app("eks-upgrader", "Node group default: 12 nodes replaced, 0 pods pending")),
        ("standup", by.app("Geekbot", "Min: fixed KubePodNotReady alert, today: NodePool limits")),
        ("zoom", by.app("Zoom", "Incident bridge: pods pending, join https://zoom.us/j/1")),
        (
            "incident-io",
            by.app(
                "incident.io",
                "INC-42 Pods pending in checkout was declared by Ines",
                attachments=[{"fallback": "x", "text": "Severity: Minor\nStatus: Investigating"}],
            ),
        ),
        ("reminder", by.app("Slackbot", "Reminder: check NodePool limits")),
        ("workflow", by.app("Workflow", "New request: raise GPU quota\nNamespace: ml-train\nCluster: osprey-prod")),
    ]
    return found


def _events() -> list[tuple[str, Event]]:
    alert = by.default_template([{"alertname": "KubePodNotReady", "namespace": "a", "pod": "b-0"}])
    shared = {
        **alert["attachments"][0],
        "is_msg_unfurl": True,
        "is_share": True,
        "author_name": "Alertmanager",
        "from_url": "https://x.slack.com/archives/C1/p1",
    }
    return [
        ("shared-alert", by.human("look at this", attachments=[shared])),
        ("join", by.event(subtype="channel_join", user="U0ANNA", text="<@U0ANNA> has joined the channel")),
        ("topic", by.event(subtype="channel_topic", user="U0ANNA", text="set the topic: KubePodNotReady, [FIRING:1]")),
        ("deleted", by.event(subtype="message_deleted", deleted_ts="1.2", previous_message=alert)),
        ("empty", by.event()),
        ("empty-bot", by.webhook("Alertmanager")),
        (
            "nonsense",
            {"type": "message", "text": 7, "attachments": "no", "blocks": [1, None, {"type": 3}], "bot_id": "B1"},
        ),
        (
            "unfurled-link",
            by.human(
                "see https://grafana.example/d/abc",
                attachments=[
                    {
                        "title": "Pods pending",
                        "title_link": "https://grafana.example/d/abc?orgId=1",
                        "fallback": "x",
                        "service_name": "Grafana",
                    }
                ],
            ),
        ),
    ]


def messages() -> list[tuple[str, Event]]:
    """Every message of the corpus that is no alert."""
    said = [(f"said-{index}", by.human(text)) for index, text in enumerate(SAID)]
    quoted = [(f"quoted-{index}", by.human(f"> {text}\nwhat do you think?")) for index, text in enumerate(SAID[:6])]
    pasted = [(f"pasted-{index}", by.human(text)) for index, text in enumerate(PASTED)]
    return [*said, *quoted, *pasted, *_apps(), *_events()]
