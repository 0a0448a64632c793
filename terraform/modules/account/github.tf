# Two roles for the pipeline, and no key anywhere: GitHub signs a token for each job, and its subject says which
# repository and which event or environment the job belongs to. Both claims are compared exactly: a trust
# without the subject lets every repository of the world in.
# https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/configuring-openid-connect-in-amazon-web-services

locals {
  issuer     = "token.actions.githubusercontent.com"
  audience   = "sts.${var.deployment.dns_suffix}"
  repository = coalesce(var.github.repository, "none")

  # A pull request from a fork gets no token at all, so this is somebody who may push a branch.
  subjects = var.github.repository == null ? {} : {
    plan  = "repo:${local.repository}:pull_request"
    apply = "repo:${local.repository}:environment:${var.deployment.environment}"
  }

  own_provider  = var.github.repository != null && !var.github.provider_exists
  provider_arns = concat(aws_iam_openid_connect_provider.github[*].arn, data.aws_iam_openid_connect_provider.github[*].arn)
}

# One for each account and address. AWS checks GitHub's certificate itself, so no thumbprint is kept here.
resource "aws_iam_openid_connect_provider" "github" {
  count = local.own_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = [local.audience]

  # The emulator wants one; AWS ignores it for GitHub.
  thumbprint_list = var.emulated ? ["ffffffffffffffffffffffffffffffffffffffff"] : null
}

data "aws_iam_openid_connect_provider" "github" {
  count = var.github.repository != null && var.github.provider_exists ? 1 : 0

  url = "https://${local.issuer}"
}

data "aws_iam_policy_document" "assume" {
  for_each = local.subjects

  statement {
    sid     = "JobsOfOneRepositoryAssumeTheRole"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = local.provider_arns
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [local.audience]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "pipeline" {
  for_each = local.subjects

  name                 = "${var.deployment.name_prefix}-github-${each.key}"
  description          = each.key == "plan" ? "Pull requests plan ${var.deployment.environment} with it" : "Deploys ${var.deployment.environment} from main, after approval"
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "plan" {
  for_each = { for name in keys(local.subjects) : name => name if name == "plan" }

  name   = "read"
  role   = aws_iam_role.pipeline["plan"].name
  policy = data.aws_iam_policy_document.plan.json
}

resource "aws_iam_role_policy" "apply" {
  for_each = { for name in keys(local.subjects) : name => name if name == "apply" }

  name   = "deploy"
  role   = aws_iam_role.pipeline["apply"].name
  policy = data.aws_iam_policy_document.apply.json
}
