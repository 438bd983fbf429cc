"""What the doctor finds, and the words for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bot.model.diagnosis import Json


class State(StrEnum):
    """`optional`: missing, and costs a line in some answers. `problem`: missing, and costs answers."""

    OK = "ok"
    OPTIONAL = "optional"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried. `found`: what came back, in the other's own words; `fix`: a key of FIXES with its facts."""

    area: str
    subject: str
    state: State
    found: str = ""
    fix: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def advice(self, language: str) -> str:
        """What to do about it; empty when it is in order."""
        return FIXES.get(language, FIXES["en"])[self.fix].format_map(self.facts) if self.fix else ""

    def as_json(self, language: str) -> dict[str, Json]:
        """One entry of `-o json`."""
        return {
            "area": self.area,
            "subject": self.subject,
            "state": self.state.value,
            "found": self.found,
            "fix": self.advice(language),
        }


FIXES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "cluster": "Check the kubeconfig, the context and the network; `kubectl --context ... get --raw /version` must answer.",
        "credentials": "The API server does not know who asks: renew the token, or map the role (EKS: an access entry).",
        "rbac": "Apply {manifest}, or install the chart with rbac.create=true: it lacks {verb} {resource} {where}.",
        "rbac-optional": "If you have this kind, apply {manifest} (chart: rbac.optional=true); else leave it.",
        "rbac-metrics": "To see what Karpenter itself holds for unavailable, apply {manifest} (chart: rbac.metrics=true).",
        "lease": "Several replicas agree by a Lease on who watches: in {namespace}, apply deploy/manifests/rbac-lease.yaml.",
        "aws-credentials": "Give the bot AWS credentials: IRSA (serviceAccount.annotations), Pod Identity, a profile, variables.",
        "iam": "Allow {action} in the bot's IAM policy (deploy/iam).",
        "aws-network": "AWS does not answer from here: check the network policy, proxy and VPC endpoints (HTTPS, port 443).",
        "aws-other": "No lack of rights: if {action} is throttled, try again in a minute; else look it up in CloudTrail.",
        "region": "Say the region: clusters.<name>.region in the settings, AWS_REGION or --region.",
        "bot-token": "Install the app to the workspace and give its bot token (xoxb-...) as SLACK_BOT_TOKEN or ..._FILE.",
        "app-token": "Make an app-level token with connections:write (xapp-...) and give it as SLACK_APP_TOKEN or ..._FILE.",
        "signing-secret": "Give the app's signing secret as SLACK_SIGNING_SECRET or ..._FILE.",
        "scopes": "Add the scope {scope} (deploy/slack/manifest.yaml has all), and install the app again.",
        "store": "Check store.url: the folder must be writable, or the database reachable with these credentials.",
        "playbooks": "Mend the page; until then it speaks as it last did well, or the shipped page does.",
        "clock": "Set this machine's clock (NTP): it is {seconds} s off {whose}; signatures fail from 300 s on.",
    },
    "ko": {
        "cluster": "kubeconfig, 컨텍스트, 네트워크를 확인한다. `kubectl --context ... get --raw /version`이 응답해야 한다.",
        "credentials": "API 서버가 요청자를 모른다. 토큰을 갱신하거나 역할을 매핑한다(EKS: 액세스 항목).",
        "rbac": "{manifest}을 적용하거나 차트를 rbac.create=true로 설치한다. {where} {resource}에 대한 {verb} 권한이 없다.",
        "rbac-optional": "이 종류를 쓴다면 {manifest}을 적용하고(차트: rbac.optional=true), 아니면 그대로 둔다.",
        "rbac-metrics": "Karpenter 자신이 사용 불가로 보는 것을 알려면 {manifest}을 적용한다(차트: rbac.metrics=true).",
        "lease": "여러 레플리카는 Lease로 감시할 하나를 정한다. {namespace}에 deploy/manifests/rbac-lease.yaml을 적용한다.",
        "aws-credentials": "봇에 AWS 자격 증명을 준다: IRSA(serviceAccount.annotations), Pod Identity, 프로파일, 환경 변수.",
        "iam": "봇의 IAM 정책에 {action}을 허용한다(deploy/iam).",
        "aws-network": "여기서 AWS가 응답하지 않는다. 네트워크 정책, 프록시, VPC 엔드포인트를 확인한다(HTTPS, 443 포트).",
        "aws-other": "권한 문제가 아니다. {action}이 제한되고 있으면 1분 뒤 다시 시도하고, 아니면 CloudTrail에서 찾아본다.",
        "region": "리전을 지정한다: 설정의 clusters.<이름>.region, AWS_REGION 또는 --region.",
        "bot-token": "앱을 워크스페이스에 설치하고 봇 토큰(xoxb-...)을 SLACK_BOT_TOKEN 또는 ..._FILE로 준다.",
        "app-token": "connections:write 권한의 앱 토큰(xapp-...)을 만들어 SLACK_APP_TOKEN 또는 ..._FILE로 준다.",
        "signing-secret": "앱의 서명 시크릿을 SLACK_SIGNING_SECRET 또는 ..._FILE로 준다.",
        "scopes": "권한 {scope}을 추가하고(deploy/slack/manifest.yaml에 전부 있다) 앱을 다시 설치한다.",
        "store": "store.url을 확인한다. 폴더에 쓸 수 있거나, 이 자격 증명으로 데이터베이스에 닿을 수 있어야 한다.",
        "playbooks": "페이지를 고친다. 그때까지는 마지막으로 올바르던 판이나 기본 페이지가 대신 말한다.",
        "clock": "이 컴퓨터의 시계를 맞춘다(NTP). {whose}와 {seconds}초 차이가 난다. 300초부터 서명이 거부된다.",
    },
}
