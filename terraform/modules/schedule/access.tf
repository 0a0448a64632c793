# Two roles for the scheduler, because the API passes one of them on: that one may only ask for a campaign.

data "aws_iam_policy_document" "assume" {
  for_each = {
    jobs      = aws_scheduler_schedule_group.jobs.arn
    campaigns = aws_scheduler_schedule_group.campaigns.arn
  }

  statement {
    sid     = "SchedulesOfOneGroupAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.${var.deployment.dns_suffix}"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.deployment.account_id]
    }

    # The group, not the schedule, is what the scheduler names here:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "jobs" {
  name               = "${var.deployment.name_prefix}-schedule-jobs"
  assume_role_policy = data.aws_iam_policy_document.assume["jobs"].json
}

data "aws_iam_policy_document" "jobs" {
  statement {
    sid       = "WakeSweep"
    actions   = ["lambda:InvokeFunction"]
    resources = [module.function.arn]
  }

  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }
}

resource "aws_iam_role_policy" "jobs" {
  name   = "jobs"
  role   = aws_iam_role.jobs.name
  policy = data.aws_iam_policy_document.jobs.json
}

locals {
  campaign_role_policies = { dispatch-send = var.dispatch_send_policy_json }
}

resource "aws_iam_role" "campaigns" {
  name               = "${var.deployment.name_prefix}-schedule-campaigns"
  assume_role_policy = data.aws_iam_policy_document.assume["campaigns"].json
}

resource "aws_iam_role_policy" "campaigns" {
  for_each = local.campaign_role_policies

  name   = each.key
  role   = aws_iam_role.campaigns.name
  policy = each.value
}

data "aws_iam_policy_document" "failures_send" {
  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }
}

data "aws_iam_policy_document" "manage" {
  statement {
    sid = "MakeSchedulesOfCampaigns"
    # It deletes itself once it has run; one that is called off finds its campaign changed.
    actions = ["scheduler:CreateSchedule"]
    # With its authorisation on, the emulator takes every schedule to be in the group `default`.
    resources = var.emulated ? ["*"] : [
      "${replace(aws_scheduler_schedule_group.campaigns.arn, ":schedule-group/", ":schedule/")}/*",
    ]
  }

  # Without the condition the role could be handed to any service.
  statement {
    sid       = "GiveThemTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.campaigns.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.${var.deployment.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "failures" {
  # The emulator speaks plain HTTP, and with its authorisation on it would deny even the deployment.
  for_each = toset(var.emulated ? [] : ["DenyPlainHttp"])

  statement {
    sid     = each.key
    effect  = "Deny"
    actions = ["sqs:*"]

    principals {
      type        = "*"
      identifiers = ["*"] # a denial, so everybody is the strictest choice
    }

    resources = [local.failures_arn]

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
