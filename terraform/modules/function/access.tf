data "aws_iam_policy_document" "assume" {
  statement {
    sid     = "LambdaAssumesTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.${var.deployment.dns_suffix}"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = local.function_name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "runtime" {
  statement {
    sid       = "WriteItsOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_group_arn}:*"]
  }

  statement {
    sid     = "SendTraces"
    actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    # X-Ray knows no resources for these two actions:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    resources = ["*"]
  }
}

# In a network of ours Lambda makes the interfaces, in the function's name: it knows no resources for that. The
# function itself may not: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
data "aws_iam_policy_document" "network" {
  for_each = toset(local.in_vpc ? ["network"] : [])

  dynamic "statement" {
    for_each = { LambdaConnectsIt = "Allow", TheCodeDoesNot = "Deny" }

    content {
      sid    = statement.key
      effect = statement.value

      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]

      resources = ["*"]

      dynamic "condition" {
        for_each = statement.value == "Deny" ? [local.function_arn] : []

        content {
          test     = "ArnEquals"
          variable = "lambda:SourceFunctionArn"
          values   = [condition.value]
        }
      }
    }
  }
}

locals {
  # By way of a local: a document that names a resource itself is not read in a plan that changes the resource.
  log_group_arn = aws_cloudwatch_log_group.this.arn

  # The function waits for this policy, so its ARN is built and not read.
  function_arn = "arn:${var.deployment.partition}:lambda:${var.deployment.region}:${var.deployment.account_id}:function:${local.function_name}"
}

resource "aws_iam_role_policy" "network" {
  for_each = data.aws_iam_policy_document.network

  name   = each.key
  role   = aws_iam_role.this.name
  policy = each.value.json
}

resource "aws_iam_role_policy" "runtime" {
  name   = "runtime"
  role   = aws_iam_role.this.name
  policy = data.aws_iam_policy_document.runtime.json
}

# One policy for all permissions, those that allow the same on many things written once and without sids: the
# inline policies of a role share 10,240 characters, and thirty permissions on a piece of paper each exceed them.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
locals {
  statements = flatten([for policy in values(var.policies) : try(jsondecode(policy).Statement, [])])

  alike = {
    for statement in local.statements :
    jsonencode([statement.Effect, statement.Action, try(statement.Condition, {})]) => statement...
  }

  granted = jsonencode({
    Version = "2012-10-17"
    Statement = [for statements in values(local.alike) : merge(
      {
        Effect   = statements[0].Effect
        Action   = statements[0].Action
        Resource = distinct(flatten([for statement in statements : statement.Resource]))
      },
      { for name, value in statements[0] : name => value if name == "Condition" },
    )]
  })

  # White space does not count, and there is none in the first.
  inline_characters = length(join("", concat(
    [local.granted],
    [for policy in concat([data.aws_iam_policy_document.runtime], values(data.aws_iam_policy_document.network)) : replace(policy.json, "/\\s/", "")],
  )))
}

resource "aws_iam_role_policy" "granted" {
  name   = "granted"
  role   = aws_iam_role.this.name
  policy = local.granted

  lifecycle {
    # IAM refuses it too, but does not say by how much.
    precondition {
      condition     = local.inline_characters <= 10240
      error_message = "The inline policies of ${local.function_name} must not exceed 10240 characters together (got ${local.inline_characters})."
    }
  }
}
