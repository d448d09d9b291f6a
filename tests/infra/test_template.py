"""The template grants no more than it must, keeps its logs for a stated time, and names only code that exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.api.problems import MEDIA_TYPE, TYPE_PREFIX
from millrace.local.template import load_document, read_template
from millrace.wiring.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
DOCUMENT: dict[str, Any] = load_document(TEMPLATE.read_text())
RESOURCES: dict[str, Any] = DOCUMENT["Resources"]
FUNCTIONS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
MACHINES = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::StateMachine"}
STATEMENTS = [
    (name, statement)
    for name, properties in (FUNCTIONS | MACHINES).items()
    for policy in properties.get("Policies", [])
    for statement in policy["Statement"]
]
SERVICE_WIDE = {
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
"""Actions that AWS does not tie to a resource; a state machine needs them to write its log."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def permissions() -> int:
    return sum(len(properties.get("Events", {})) for properties in FUNCTIONS.values())


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_no_statement_allows_every_action_of_a_service(function: str, statement: dict[str, Any]) -> None:
    assert [] == [action for action in as_list(statement["Action"]) if "*" in action]


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_no_statement_reaches_every_resource(function: str, statement: dict[str, Any]) -> None:
    if set(as_list(statement["Action"])) <= SERVICE_WIDE:
        return
    assert "*" not in [resource for resource in as_list(statement["Resource"]) if isinstance(resource, str)]


def test_definitions_are_never_deleted_and_of_the_rest_only_the_driver_deletes() -> None:
    deleting = [
        (name, action, statement["Sid"])
        for name, statement in STATEMENTS
        for action in as_list(statement["Action"])
        if action.split(":")[1].startswith("Delete") and not action.startswith("logs:")
    ]
    assert [
        ("DriverFunction", "dynamodb:DeleteItem", "History"),
        ("DriverFunction", "s3:DeleteObject", "Values"),
    ] == deleting


@pytest.mark.parametrize(("function", "statement"), STATEMENTS)
def test_every_statement_says_what_it_is_for(function: str, statement: dict[str, Any]) -> None:
    assert "Allow" == statement["Effect"]
    assert statement["Sid"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_logs_to_a_group_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert {"Ref": "LogRetentionDays"} == RESOURCES[group]["Properties"]["RetentionInDays"]


def test_every_log_group_has_a_retention() -> None:
    groups = [r["Properties"] for r in RESOURCES.values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(FUNCTIONS) < len(groups)
    assert [] == [group for group in groups if "RetentionInDays" not in group]


def test_every_function_and_layer_is_for_arm64_and_python_3_13() -> None:
    shared = DOCUMENT["Globals"]["Function"]
    assert (["arm64"], "python3.13") == (shared["Architectures"], shared["Runtime"])
    assert [] == [name for name, p in FUNCTIONS.items() if "Architectures" in p or "Runtime" in p]
    layers = [r for r in RESOURCES.values() if r["Type"] == "AWS::Serverless::LayerVersion"]
    assert ["arm64"] * 2 == [layer["Metadata"]["BuildArchitecture"] for layer in layers]
    assert [["arm64"]] * 2 == [layer["Properties"]["CompatibleArchitectures"] for layer in layers]


def test_secrets_are_reached_below_the_name_of_the_stack_only_and_never_listed() -> None:
    reached = [
        (name, action, one["Resource"])
        for name, one in STATEMENTS
        for action in as_list(one["Action"])
        if action.startswith("secretsmanager:")
    ]
    ours = {
        "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
        "${AWS::StackName}/secrets/*"
    }
    assert [
        ("DriverFunction", "secretsmanager:GetSecretValue", ours),
        ("WorkflowsFunction", "secretsmanager:DescribeSecret", ours),
    ] == sorted(reached, key=lambda one: one[0])


def test_the_driver_may_call_the_functions_that_are_named_and_no_others() -> None:
    parameter = DOCUMENT["Parameters"]["LambdaFunctions"]
    assert ("CommaDelimitedList", "") == (parameter["Type"], parameter["Default"])
    policy = RESOURCES["DriverCalls"]
    assert "CallsFunctions" == policy["Condition"]
    assert [{"Ref": "DriverFunctionRole"}] == policy["Properties"]["Roles"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert ("lambda:InvokeFunction", {"Ref": "LambdaFunctions"}) == (statement["Action"], statement["Resource"])
    others = [action for name, one in STATEMENTS if name in FUNCTIONS for action in as_list(one["Action"])]
    assert [] == [action for action in others if action.startswith("lambda:Invoke")]


def test_tracing_is_on_everywhere() -> None:
    assert "Active" == DOCUMENT["Globals"]["Function"]["Tracing"]
    assert RESOURCES["Api"]["Properties"]["TracingEnabled"]


def test_every_machine_logs_without_user_data_and_is_traced() -> None:
    assert ["EXPRESS", "STANDARD", "STANDARD"] == sorted(machine["Type"] for machine in MACHINES.values())
    for machine in MACHINES.values():
        assert ("ERROR", False) == (machine["Logging"]["Level"], machine["Logging"]["IncludeExecutionData"])
        assert machine["Tracing"]["Enabled"]


def test_every_machine_has_its_definition_and_every_name_in_it_a_value() -> None:
    for machine in MACHINES.values():
        text = (ROOT / machine["DefinitionUri"]).read_text()
        assert set(re.findall(r"\$\{(\w+)\}", text)) == set(machine["DefinitionSubstitutions"])


def test_the_names_that_functions_are_told_are_those_of_the_machines() -> None:
    told = DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]
    for variable, machine in (("STATE_MACHINE", "ExecutionMachine"), ("SHORT_STATE_MACHINE", "ShortMachine")):
        assert told[f"MILLRACE_{variable}"]["Fn::Sub"].endswith(f":stateMachine:{MACHINES[machine]['Name']['Fn::Sub']}")


def test_every_variable_of_the_template_is_a_setting() -> None:
    own = [properties.get("Environment", {}).get("Variables", {}) for properties in FUNCTIONS.values()]
    told = {
        name for variables in [DOCUMENT["Globals"]["Function"]["Environment"]["Variables"], *own] for name in variables
    }
    assert told <= set(SETTINGS)


def test_every_source_that_nobody_waits_for_has_somewhere_to_put_what_fails() -> None:
    events = [event for properties in FUNCTIONS.values() for event in properties.get("Events", {}).values()]
    unwatched = {event["Type"]: event["Properties"] for event in events if event["Type"] != "Api"}
    assert {"ScheduleV2", "DynamoDB"} == set(unwatched)
    assert {"Type": "SQS"} == unwatched["ScheduleV2"]["DeadLetterConfig"]
    assert "SQS" == unwatched["DynamoDB"]["DestinationConfig"]["OnFailure"]["Type"]


def test_every_function_has_its_code() -> None:
    template = read_template(TEMPLATE)
    paths = [function.folder / f"{function.handler.split('.')[0]}.py" for function in template.functions]
    assert len(FUNCTIONS) == len(paths)
    assert [] == [path for path in paths if not path.is_file()]


def test_every_function_folder_is_in_the_template() -> None:
    folders = {function.folder for function in read_template(TEMPLATE).functions}
    assert folders == {path.parent for path in (ROOT / "functions").glob("*/app.py")}


def test_every_method_is_explicit() -> None:
    assert {"GET", "POST", "PUT", "DELETE"} >= {route.method for route in read_template(TEMPLATE).routes}


def test_every_method_but_health_asks_who_calls() -> None:
    events = [event["Properties"] for p in FUNCTIONS.values() for event in p.get("Events", {}).values()]
    open_to_all = [
        event["Path"] for event in events if "Path" in event and event.get("Auth", {}).get("Authorizer") == "NONE"
    ]
    assert ["/api/v1/health"] == open_to_all
    assert "AWS_IAM" == RESOURCES["Api"]["Properties"]["Auth"]["DefaultAuthorizer"]


def test_the_stack_stays_far_below_the_limit_of_500_resources() -> None:
    # Beside what is written: a role per function, a permission per API event, deployment and stage of the API.
    assert 350 > len(RESOURCES) + len(FUNCTIONS) + permissions() + 2


def test_no_secret_is_written_into_the_template() -> None:
    assert [] == [text for text in texts(DOCUMENT) if "AKIA" in text or "-----BEGIN" in text]


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_machine_logs_is_traced_and_calls_named_resources_only(name: str) -> None:
    machine = RESOURCES[name]["Properties"]
    assert ("ERROR", False) == (machine["Logging"]["Level"], machine["Logging"]["IncludeExecutionData"])
    assert {"Enabled": True} == machine["Tracing"]
    statements = [one for policy in machine["Policies"] for one in policy["Statement"]]
    # AWS ties the delivery of logs to no resource.
    assert ["LogDelivery"] == [one["Sid"] for one in statements if one["Resource"] == "*"]
    assert [] == [action for one in statements for action in as_list(one["Action"]) if "*" in action]


def test_the_machine_for_lanes_starts_follows_and_stops_its_own_map_and_reads_its_own_lists() -> None:
    stack = "${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    statements = {one["Sid"]: one for policy in MACHINES["FanOutMachine"]["Policies"] for one in policy["Statement"]}
    own = f"{stack}:stateMachine:${{AWS::StackName}}-fan-out"
    assert ("states:StartExecution", f"arn:{own}") == reached(statements["MapRun"])
    assert ["states:DescribeExecution", "states:StopExecution"] == statements["Children"]["Action"]
    # A child's ARN is execution:<machine>/<label>:<id>; AWS documents the permission as execution:<machine>:*.
    children = [f"arn:{stack}:execution:${{AWS::StackName}}-fan-out{ending}" for ending in ("/*", ":*")]
    assert children == [one["Fn::Sub"] for one in statements["Children"]["Resource"]]
    assert ("s3:GetObject", "${Storage.Outputs.BlobBucketArn}/*/execution/*/lanes/*") == reached(
        statements["ReadLanes"]
    )


def reached(statement: dict[str, Any]) -> tuple[Any, str]:
    return statement["Action"], statement["Resource"]["Fn::Sub"]


def test_the_driver_lives_longer_than_any_attempt_and_its_machine_longer_than_it() -> None:
    assert 900 == FUNCTIONS["DriverFunction"]["Timeout"]


def test_every_alarm_says_what_it_means_and_stays_quiet_without_data() -> None:
    alarms = load_document((ROOT / "infra" / "observability.yaml").read_text())["Resources"].values()
    assert ["notBreaching"] * len(alarms) == [alarm["Properties"]["TreatMissingData"] for alarm in alarms]
    assert [] == [alarm for alarm in alarms if not alarm["Properties"]["AlarmDescription"]]


def test_an_account_that_is_new_to_api_gateway_lets_the_stage_log() -> None:
    # The stage comes after its log group, and that after the account's setting, since each names the one before.
    (tag,) = RESOURCES["ApiLogGroup"]["Properties"]["Tags"]
    assert ["SetsGatewayLogs", {"Ref": "GatewayAccount"}] == tag["Value"]["Fn::If"][:2]
    stage = RESOURCES["Api"]["Properties"]["AccessLogSetting"]
    assert {"Fn::GetAtt": ["ApiLogGroup", "Arn"]} == stage["DestinationArn"]
    account, role = RESOURCES["GatewayAccount"], RESOURCES["GatewayLogsRole"]
    assert {"Fn::GetAtt": ["GatewayLogsRole", "Arn"]} == account["Properties"]["CloudWatchRoleArn"]
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert {"Service": "apigateway.amazonaws.com"} == trust["Principal"]
    (policy,) = role["Properties"]["ManagedPolicyArns"]
    assert policy["Fn::Sub"].endswith("/AmazonAPIGatewayPushToCloudWatchLogs")


def test_what_is_set_for_the_account_outlives_the_stack_and_can_be_left_alone() -> None:
    ours = [RESOURCES["GatewayAccount"], RESOURCES["GatewayLogsRole"]]
    assert ["Retain"] * 2 == [one["DeletionPolicy"] for one in ours]
    assert ["SetsGatewayLogs"] * 2 == [one["Condition"] for one in ours]
    assert {"Fn::Equals": [{"Ref": "GatewayLogs"}, "stack"]} == DOCUMENT["Conditions"]["SetsGatewayLogs"]


@pytest.mark.parametrize("kind", ["DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED"])
def test_what_the_gateway_answers_by_itself_is_a_problem_body(kind: str) -> None:
    answer = RESOURCES["Api"]["Properties"]["GatewayResponses"][kind]
    assert f"'{MEDIA_TYPE}'" == answer["ResponseParameters"]["Headers"]["Content-Type"]
    told = '"Endpoint request timed out"'  # as the gateway puts it in: a text with its quotes
    (template,) = answer["ResponseTemplates"].values()
    body = json.loads(template.replace("$context.error.messageString", told).replace("$context.requestId", "r-1"))
    assert ("Endpoint request timed out", "r-1") == (body["detail"], body["requestId"])
    assert f"{TYPE_PREFIX}{body['code']}" == body["type"]
    assert body["title"]
    assert body["hint"]


def test_a_look_of_the_reconciler_that_fails_is_not_made_up_for_later() -> None:
    expected = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert expected == FUNCTIONS["ReconcilerFunction"]["EventInvokeConfig"]
    assert 60 > FUNCTIONS["ReconcilerFunction"]["Timeout"]


def test_somebody_is_told_when_the_reconciler_fails() -> None:
    alarm = load_document((ROOT / "infra" / "observability.yaml").read_text())["Resources"]["FailingReconciler"]
    assert ("AWS/Lambda", "Errors") == (alarm["Properties"]["Namespace"], alarm["Properties"]["MetricName"])
    (dimension,) = alarm["Properties"]["Dimensions"]
    assert {"Ref": "ReconcilerFunctionName"} == dimension["Value"]
    told = RESOURCES["Observability"]["Properties"]["Parameters"]["ReconcilerFunctionName"]
    assert {"Ref": "ReconcilerFunction"} == told


def test_a_driver_that_is_throttled_gives_a_sign_long_before_its_executions_do() -> None:
    alarms = load_document((ROOT / "infra" / "observability.yaml").read_text())["Resources"]
    throttled = alarms["ThrottledDrivers"]["Properties"]
    assert ("AWS/Lambda", "Throttles") == (throttled["Namespace"], throttled["MetricName"])
    assert alarms["FailingDrivers"]["Properties"]["Dimensions"] == throttled["Dimensions"]
    assert 15 * 60 > throttled["Period"] * throttled["EvaluationPeriods"]


def test_two_stacks_of_one_account_do_not_take_each_others_names() -> None:
    named = [machine["Name"]["Fn::Sub"] for machine in MACHINES.values()]
    groups = [r["Properties"] for r in RESOURCES.values() if r["Type"] == "AWS::Logs::LogGroup"]
    named += [group["LogGroupName"]["Fn::Sub"] for group in groups if "LogGroupName" in group]
    assert [] == [name for name in named if "${AWS::StackName}" not in name]
    events = [event for p in FUNCTIONS.values() for event in p.get("Events", {}).values()]
    assert [True] == [event["Properties"]["OmitName"] for event in events if event["Type"] == "ScheduleV2"]
    fixed = {"FunctionName", "TableName", "BucketName", "QueueName", "RoleName", "LayerName"}
    storage = load_document((ROOT / "infra" / "storage.yaml").read_text())["Resources"]
    assert [] == [name for name, r in (RESOURCES | storage).items() if fixed & set(r["Properties"])]


def test_metrics_of_each_method_which_are_charged_for_are_left_to_the_access_log() -> None:
    (settings,) = RESOURCES["Api"]["Properties"]["MethodSettings"]
    assert settings["MetricsEnabled"] is False
    line = json.loads(re.sub(r"\$[\w.]+", "1", RESOURCES["Api"]["Properties"]["AccessLogSetting"]["Format"]))
    assert {"method", "path", "status", "latency"} <= set(line)
