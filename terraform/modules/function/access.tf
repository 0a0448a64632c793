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
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
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

resource "aws_iam_role_policy" "granted" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.this.name
  policy = each.value
}
