"""CloudWatch alarms: their dimensions, and all that Terraform reads back of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from types import FunctionType
from typing import Any
from xml.sax.saxutils import escape, unescape

cloudwatch: Any = import_module("ministack.services.cloudwatch")

ALARM_NAME = re.compile(r"<member><AlarmName>([^<]*)</AlarmName>")
STATISTIC = re.compile(r"<Statistic>[^<]*</Statistic>")
PLAIN = ("Period", "Statistic", "ExtendedStatistic", "TreatMissingData", "Unit", "AlarmDescription")
OF_ONE_METRIC = ("Period", "Statistic")  # filled in upstream for expressions too
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
KEPT_SECONDS = 3 * 3600


def close_evaluation() -> None:
    """Make an alarm look at the metric with its own dimensions only.

    Wrong upstream: `_evaluate_alarm` adds up every metric of the same name, so an alarm on one
    queue's depth fires for another's. The original runs on a view of the metrics; its module's
    globals stay untouched, since requests read them at the same time.
    """
    original = cloudwatch._evaluate_alarm

    def evaluate(alarm: dict[str, Any]) -> None:
        dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
        wanted = cloudwatch._dims_key(dimensions)
        view = {key: points for key, points in cloudwatch._metrics.items() if key[2] == wanted}
        FunctionType(original.__code__, {**vars(cloudwatch), "_metrics": view})(alarm)

    cloudwatch._evaluate_alarm = evaluate


def close_description() -> None:
    """Answer DescribeAlarms in XML with every setting of an alarm, and keep one more of them.

    Missing upstream: the Query protocol's answer has no period, statistic, dimensions or actions,
    and PutMetricAlarm in that protocol drops InsufficientDataActions and the queries of an alarm
    on several metrics; Terraform then plans a change of every alarm for ever. The JSON and CBOR
    protocols are complete.
    """
    describe, put = cloudwatch._describe_alarms, cloudwatch._put_metric_alarm

    def describe_fully(
        params: Any, cbor: Any, is_cbor: bool, is_json: bool = False
    ) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = describe(params, cbor, is_cbor, is_json)
        if is_cbor or is_json or status != 200:
            return status, headers, body
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, ALARM_NAME.sub(_add_settings, text).encode()

    def put_fully(params: Any, cbor: Any, is_cbor: bool, is_json: bool = False) -> Any:
        answer = put(params, cbor, is_cbor, is_json)
        alarm = cloudwatch._alarms.get(cloudwatch._p(params, "AlarmName"))
        if alarm and not (is_cbor or is_json):
            alarm["InsufficientDataActions"] = _members(params, "InsufficientDataActions")
            alarm["Metrics"] = _queries(params)
        return answer

    cloudwatch._describe_alarms, cloudwatch._put_metric_alarm = describe_fully, put_fully


def trim(namespace: str, dimensions: dict[str, str], metrics: Iterable[str], now: float) -> None:
    """Forget points older than three hours, which a tick of two seconds piles up."""
    for metric in metrics:
        key = (namespace, metric, cloudwatch._dims_key(dimensions))
        points = cloudwatch._metrics.get(key) or []
        if points and points[0]["Timestamp"] < now - KEPT_SECONDS:
            del points[: len(points) // 2]


def _members(params: Any, name: str) -> list[str]:
    found: list[str] = []
    while value := cloudwatch._p(params, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


def _queries(params: Any) -> list[dict[str, Any]]:
    """Return the metrics and expressions of an alarm as nested fields, in their order."""
    found: list[dict[str, Any]] = []
    while cloudwatch._p(params, f"Metrics.member.{len(found) + 1}.Id"):
        at = f"Metrics.member.{len(found) + 1}"
        metric = f"{at}.MetricStat.Metric"
        query: dict[str, Any] = {
            name: cloudwatch._p(params, f"{at}.{name}")
            for name in ("Id", "Expression", "Label", "Period", "ReturnData", "AccountId")
        }
        if cloudwatch._p(params, f"{metric}.MetricName"):
            query["MetricStat"] = {
                "Metric": {
                    "Namespace": cloudwatch._p(params, f"{metric}.Namespace"),
                    "MetricName": cloudwatch._p(params, f"{metric}.MetricName"),
                    "Dimensions": _dimensions(params, metric),
                },
                "Period": cloudwatch._p(params, f"{at}.MetricStat.Period"),
                "Stat": cloudwatch._p(params, f"{at}.MetricStat.Stat"),
                "Unit": cloudwatch._p(params, f"{at}.MetricStat.Unit"),
            }
        found.append(query)
    return found


def _dimensions(params: Any, metric: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while name := cloudwatch._p(params, f"{metric}.Dimensions.member.{len(found) + 1}.Name"):
        value = cloudwatch._p(params, f"{metric}.Dimensions.member.{len(found) + 1}.Value")
        found.append({"Name": name, "Value": value})
    return found


def _xml(name: str, value: Any) -> str:
    """Write a field as the Query protocol does; what is empty is left out."""
    if not value:
        return ""
    if isinstance(value, list):
        inner = "".join(_xml("member", one) for one in value)
    elif isinstance(value, dict):
        inner = "".join(_xml(key, one) for key, one in value.items())
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def _add_settings(match: re.Match[str]) -> str:
    alarm = cloudwatch._alarms.get(unescape(match[1]))
    if not alarm:
        return match[0]
    plain = "".join(
        f"<{name}>{escape(str(alarm[name]))}</{name}>"
        for name in PLAIN
        if alarm.get(name) not in (None, "")
        and (alarm.get("MetricName") or name not in OF_ONE_METRIC)
    )
    if alarm.get("ExtendedStatistic"):
        plain = STATISTIC.sub("", plain)
    dimensions = "".join(_xml("member", one) for one in alarm.get("Dimensions") or [])
    actions = "".join(
        f"<{kind}>"
        + "".join(f"<member>{escape(arn)}</member>" for arn in alarm.get(kind) or [])
        + f"</{kind}>"
        for kind in ACTIONS
    )
    enabled = str(bool(alarm.get("ActionsEnabled", True))).lower()
    return (
        f"{match[0]}{plain}<ActionsEnabled>{enabled}</ActionsEnabled>"
        f"<Dimensions>{dimensions}</Dimensions>{actions}{_xml('Metrics', alarm.get('Metrics'))}"
    )
