"""What local mode reads from a SAM template."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.base.errors import InvalidRequest
from millrace.local.template import FunctionCode, Route, load_document, read_template

GOOD = """
Globals: {Function: {Handler: app.handler}}
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: live}}
  Table: {Type: AWS::DynamoDB::Table}
  One:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/one
      Role: !GetAtt Role.Arn
      Events:
        Read: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /one, Method: get}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def test_functions_and_routes_come_with_the_shared_handler(tmp_path: Path) -> None:
    template = read_template(written(tmp_path, GOOD))
    assert (FunctionCode("One", tmp_path / "functions/one", "app.handler"),) == template.functions
    assert (Route("One", "GET", "/one"),) == template.routes
    assert "live" == template.stage


def test_short_tags_become_their_long_forms() -> None:
    text = "[!Ref A, !GetAtt B.C.D, !Sub '${E}', !Join [',', [a]], !Condition F, !Select {G: 1}]"
    long = [
        {"Ref": "A"},
        {"Fn::GetAtt": ["B", "C.D"]},
        {"Fn::Sub": "${E}"},
        {"Fn::Join": [",", ["a"]]},
        {"Condition": "F"},
        {"Fn::Select": {"G": 1}},
    ]
    assert long == load_document(text)


def test_a_stage_has_a_name_even_without_an_api(tmp_path: Path) -> None:
    assert "local" == read_template(written(tmp_path, "Resources: {}")).stage


def test_a_template_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="not valid YAML"):
        load_document("a: [")


@pytest.mark.parametrize("code", ["CodeUri: 7", "CodeUri: x, Handler: handler", "Handler: a.b"])
def test_a_function_without_code_is_refused_by_name(tmp_path: Path, code: str) -> None:
    text = f"Resources: {{One: {{Type: 'AWS::Serverless::Function', Properties: {{{code}}}}}}}"
    with pytest.raises(InvalidRequest, match="function One names no code"):
        read_template(written(tmp_path, text))


def test_two_functions_cannot_claim_one_route(tmp_path: Path) -> None:
    second = GOOD.split("  One:", 1)[1]
    with pytest.raises(InvalidRequest, match="GET /one belongs to One and to Two"):
        read_template(written(tmp_path, GOOD + "  Two:" + second))
