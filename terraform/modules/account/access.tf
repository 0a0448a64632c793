# What the two roles may do. Neither may read an address: no rows, no lists, no messages.

locals {
  at    = "${var.deployment.region}:${var.deployment.account_id}"
  owned = "${var.deployment.name_prefix}-*"
  arn   = "arn:${var.deployment.partition}"

  # Named by the prefix alone, like the dashboard. Logs puts the stream behind the name of the group.
  access_log = "log-group:/aws/vendedlogs/apigateway/${var.deployment.name_prefix}"

  # The key by its alias, since a plan knows that before the key is made.
  any_key   = "${local.arn}:kms:${local.at}:key/*"
  key_alias = "alias/${var.deployment.name_prefix}-deploy"

  # Signing keys of the links; a refresh reads the value, although Terraform keeps none of it.
  # https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html
  keys_secret = "${local.arn}:secretsmanager:${local.at}:secret:${var.deployment.name_prefix}/keys-*"
}

data "aws_iam_policy_document" "plan" {
  #checkov:skip=CKV_AWS_356:these actions read, and know no resources or all of them
  statement {
    sid       = "ReadTheState"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns["state"]}/*"]
  }

  statement {
    sid       = "ListStatesAndArtefacts"
    actions   = ["s3:ListBucket"]
    resources = values(local.bucket_arns)
  }

  statement {
    sid       = "ReadArtefacts"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns["artefacts"]}/*"]
  }

  # A refresh asks whether a bucket is there (HeadBucket), for which S3 knows no narrower action. Names of objects
  # hold ids, and what is in an object stays closed.
  statement {
    sid       = "FindItsBuckets"
    actions   = ["s3:ListBucket"]
    resources = ["${local.arn}:s3:::${local.owned}"]
  }

  statement {
    sid       = "DecryptBoth"
    actions   = ["kms:Decrypt"]
    resources = [local.any_key]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [local.key_alias]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.deployment.region}.${var.deployment.dns_suffix}"]
    }
  }

  # Settings of resources, never what is in them.
  statement {
    sid = "ReadSettings"
    actions = [
      "apigateway:GET",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetDashboard",
      "cloudwatch:ListTagsForResource",
      "cognito-idp:DescribeUserPool",
      "cognito-idp:DescribeUserPoolClient",
      "cognito-idp:DescribeUserPoolDomain",
      "cognito-idp:DescribeResourceServer",
      "cognito-idp:GetGroup",
      "cognito-idp:GetUserPoolMfaConfig",
      "cognito-idp:GetWebACLForResource",
      "dynamodb:Describe*",
      "dynamodb:ListTagsOfResource",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
      "iam:GetOpenIDConnectProvider",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListOpenIDConnectProviders",
      "iam:ListRolePolicies",
      "kms:DescribeKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListAliases",
      "kms:ListResourceTags",
      "lambda:Get*",
      "lambda:List*",
      "logs:DescribeLogGroups",
      "logs:ListTagsForResource",
      "s3:GetAccelerateConfiguration",
      "s3:GetBucket*",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "scheduler:Get*",
      "scheduler:ListTagsForResource",
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetRandomPassword",
      "secretsmanager:GetResourcePolicy",
      "ses:GetConfigurationSet",
      "ses:GetConfigurationSetEventDestinations",
      "ses:GetEmailIdentity",
      "ses:ListTagsForResource",
      "signer:GetSigningProfile",
      "signer:ListTagsForResource",
      "sns:GetSubscriptionAttributes",
      "sns:GetTopicAttributes",
      "sns:ListTagsForResource",
      "sqs:GetQueueAttributes",
      "sqs:ListQueueTags",
      "wafv2:Get*",
      "wafv2:ListTagsForResource",
    ]
    resources = ["*"] # half of these know no resource, and none of them shows content
  }

  statement {
    sid       = "RefreshReadsTheSecretItNeverKeeps"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.keys_secret]
  }

  statement {
    sid       = "AndDecryptsIt"
    actions   = ["kms:Decrypt"]
    resources = [local.any_key]

    condition {
      test     = "ForAnyValue:StringLike"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.owned}"]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.deployment.region}.${var.deployment.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "apply" {
  source_policy_documents = [data.aws_iam_policy_document.plan.json]

  statement {
    sid       = "WriteStateArtefactsAndLocks"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.bucket_arns["state"]}/*"]
  }

  # Signer reads the version it was told of, in the name of who asks:
  # https://docs.aws.amazon.com/signer/latest/developerguide/gs-iam.html
  statement {
    sid       = "AddArtefacts"
    actions   = ["s3:PutObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arns["artefacts"]}/*"]
  }

  statement {
    sid       = "EncryptBoth"
    actions   = ["kms:GenerateDataKey"]
    resources = [local.any_key]

    condition {
      test     = "ForAnyValue:StringLike"
      variable = "kms:ResourceAliases"
      values   = ["alias/${local.owned}"] # its own, and those of the data that a deploy writes: secrets
    }
  }

  # By name, wherever the service names what it makes.
  statement {
    sid = "ManageWhatCarriesTheName"
    actions = [
      "cloudwatch:*",
      "dynamodb:*Table*",
      "dynamodb:*ContinuousBackups",
      "dynamodb:*TimeToLive",
      "dynamodb:*TagsOfResource",
      "dynamodb:*agResource",
      "lambda:*",
      "logs:*",
      "scheduler:*",
      "sns:*",
      "sqs:*",
    ]
    resources = [
      for part in [
        "cloudwatch:${local.at}:alarm:${local.owned}",
        "cloudwatch::${var.deployment.account_id}:dashboard/${var.deployment.name_prefix}",
        "dynamodb:${local.at}:table/${local.owned}",
        "lambda:${local.at}:function:${local.owned}",
        "lambda:${local.at}:layer:${local.owned}",
        "logs:${local.at}:log-group:*${local.owned}",
        "logs:${local.at}:${local.access_log}",
        "logs:${local.at}:${local.access_log}:*",
        "scheduler:${local.at}:schedule*/${local.owned}",
        "sns:${local.at}:${local.owned}",
        "sqs:${local.at}:${local.owned}",
      ] : "${local.arn}:${part}"
    ]
  }

  statement {
    sid       = "ManageItsBuckets"
    actions   = ["s3:CreateBucket", "s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"]
    resources = ["${local.arn}:s3:::${local.owned}"]
  }

  statement {
    sid = "ManageItsSecrets"
    actions = [
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:PutResourcePolicy",
      "secretsmanager:DeleteResourcePolicy",
      "secretsmanager:PutSecretValue",
      "secretsmanager:RestoreSecret",
      "secretsmanager:TagResource",
      "secretsmanager:UntagResource",
      "secretsmanager:UpdateSecret",
    ]
    resources = [local.keys_secret, "${local.arn}:secretsmanager:${local.at}:secret:*"]
  }

  # Services that name things by ids of their own, or by the domain.
  statement {
    sid = "ManageWhatHasNoName"
    actions = [
      "apigateway:*",
      "cognito-idp:*UserPool*",
      "cognito-idp:*ResourceServer*",
      "cognito-idp:CreateGroup",
      "cognito-idp:DeleteGroup",
      "cognito-idp:UpdateGroup",
      "cognito-idp:AssociateWebACL",
      "cognito-idp:DisassociateWebACL",
      "cognito-idp:SetUserPoolMfaConfig",
      "cognito-idp:*agResource",
      "ec2:*NetworkInterface*",
      "ec2:*SecurityGroup*",
      "ec2:*VpcEndpoint*",
      "kms:*Alias",
      "kms:CreateGrant",
      "kms:CreateKey",
      "kms:*KeyRotation",
      "kms:PutKeyPolicy",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UpdateKeyDescription",
      "lambda:*CodeSigningConfig*",
      "lambda:*EventSourceMapping*",
      "lambda:*agResource", # also of mappings, which carry no name
      "logs:*LogDeliver*",
      "logs:*ResourcePolic*",
      "ses:*ConfigurationSet*",
      "ses:*EmailIdentity*",
      "ses:*agResource",
      "signer:StartSigningJob",
      "signer:DescribeSigningJob",
      "sns:SetSubscriptionAttributes",
      "sns:Unsubscribe",
      "wafv2:*WebACL*",
    ]
    resources = ["*"] # ids are drawn when the thing is made
  }

  # Whoever makes roles can give himself anything: main is protected by the approval, not by this list.
  statement {
    sid = "ManageItsRoles"
    actions = [
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:ListInstanceProfilesForRole", # asked before a role is deleted
      "iam:PassRole",
      "iam:PutRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
    ]
    resources = ["${local.arn}:iam::${var.deployment.account_id}:role/${local.owned}"]
  }

  # It may not widen itself, nor the one that pull requests use.
  statement {
    sid       = "LeaveThePipelineAlone"
    effect    = "Deny"
    actions   = ["iam:Create*", "iam:Delete*", "iam:Put*", "iam:Update*", "iam:Attach*", "iam:Detach*", "iam:PassRole"]
    resources = ["${local.arn}:iam::${var.deployment.account_id}:role/${var.deployment.name_prefix}-github-*"]
  }
}
