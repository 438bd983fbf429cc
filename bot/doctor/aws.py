"""Whether AWS lets the bot ask what it asks: EC2 by dry run, the services that know none by the smallest question."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from bot.doctor.clocks import skew
from bot.doctor.findings import Finding, State
from bot.sources.aws import Account, Clients, why_not
from bot.sources.ec2_calls import CALLS, Call

DRY: Final = "DryRunOperation"
"""EC2's word for: you would have been allowed."""
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
# services without a dry run: one row of the answer
_SMALLEST: Final[Mapping[str, Mapping[str, object]]] = {
    "pricing:GetProducts": {"ServiceCode": "AmazonEC2", "MaxResults": 1},
    "servicequotas:ListServiceQuotas": {"ServiceCode": "ec2", "MaxResults": 1},
}


def examine_aws(
    clients: Clients, region: str, account: Account, now: Callable[[], datetime], area: str
) -> list[Finding]:
    """Who the bot is for AWS, whether the clocks agree, and each action. Blocks: run it in a thread."""
    if not region:
        return [Finding(area=area, subject="region", state=State.PROBLEM, found="not known", fix="region")]
    try:
        told = clients.client("sts", region, account).get_caller_identity()
    except Exception as error:  # botocore's errors have no common base worth naming
        why = why_not(error, "sts:AssumeRole" if account.role_arn else "sts:GetCallerIdentity")
        fix = "aws-network" if "does not answer" in why else "aws-credentials"
        wrong = Finding(area=area, subject="credentials", state=State.PROBLEM, found=why, fix=fix)
        # AWS takes no signature of a clock that is far off: then that is what is to be mended
        off = skew(_date(getattr(error, "response", None)), now(), "AWS", area)
        return [wrong, *(finding for finding in off if finding.state is not State.OK)]
    identity = Finding(area=area, subject="credentials", state=State.OK, found=str(told.get("Arn", "")))
    calls = {call.action: call for call in CALLS if call.service != "sts"}  # who we are was told above
    actions = [_action(clients, call, region, account, area) for call in calls.values()]
    return [identity, *skew(_date(told), now(), "AWS", area), *actions]


def _date(answer: object) -> str:
    """The `Date` of one of boto3's answers, or of an error's."""
    metadata = answer.get("ResponseMetadata") if isinstance(answer, Mapping) else None
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    return str(headers.get("date", "")) if isinstance(headers, Mapping) else ""


def _action(clients: Clients, call: Call, region: str, account: Account, area: str) -> Finding:
    operation = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", call.action.partition(":")[2]).lower()
    asked = _SMALLEST.get(call.action) or {"DryRun": True}
    try:
        getattr(clients.client(call.service, region, account), operation)(**asked)
    except Exception as error:
        response = getattr(error, "response", None)
        code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
        if code == DRY:
            return Finding(area=area, subject=call.action, state=State.OK)
        why = why_not(error, call.action)
        fix = "iam" if code in _DENIED else "aws-network" if "does not answer" in why else "aws-other"
        return Finding(
            area=area, subject=call.action, state=State.PROBLEM, found=why, fix=fix, facts={"action": call.action}
        )
    return Finding(area=area, subject=call.action, state=State.OK)
