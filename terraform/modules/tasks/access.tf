# Who may do what. One document for all queues: the policies of a role share 10,240 characters.

locals {
  queue_arns       = [for queue in module.queue : queue.arn]
  dead_letter_arns = [for queue in module.queue : queue.dead_letter_arn]

  # Buckets of the application, by what the tasks do in them; our own is read and written.
  bucket_arns = {
    for verb in ["read", "write", "delete"] : verb => concat(
      verb == "delete" ? [] : [module.files_bucket.arn],
      [for name, verbs in var.buckets : "arn:${var.deployment.partition}:s3:::${name}" if contains(verbs, verb)],
    )
  }
}

data "aws_iam_policy_document" "consume" {
  statement {
    sid = "Consume"
    # With its authorisation on, the emulator asks for the batch by its own name; on AWS there is none.
    actions = concat([
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ], var.emulated ? ["sqs:ChangeMessageVisibilityBatch"] : [])
    resources = local.queue_arns
  }
}

# What it takes to have tasks run, and nothing else.
data "aws_iam_policy_document" "send" {
  statement {
    sid       = "SendTasks"
    actions   = concat(["sqs:SendMessage"], var.emulated ? ["sqs:SendMessageBatch"] : [])
    resources = local.queue_arns
  }
}

# The keys trust the roles of this deployment by their names. The application's role has another name, so what it
# sends needs the key's permission too: the key leaves that to the account, and so to this policy.
data "aws_iam_policy_document" "application" {
  for_each = {
    send   = { document = data.aws_iam_policy_document.send, key = lookup(var.deployment.keys, "queues", ""), service = "sqs" }
    upload = { document = data.aws_iam_policy_document.upload, key = lookup(var.deployment.keys, "data", ""), service = "s3" }
    receipts = {
      document = data.aws_iam_policy_document.receipts_share, key = lookup(var.deployment.keys, "data", ""), service = "dynamodb"
    }
  }

  source_policy_documents = [each.value.document.json]

  dynamic "statement" {
    for_each = each.value.key == "" ? [] : [each.value.key]

    content {
      sid       = "EncryptWhatItSends"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["${each.value.service}.${var.deployment.region}.${var.deployment.dns_suffix}"]
      }
    }
  }
}

# Tasks that are due in more than the 15 minutes of SQS wait as schedules; the role and the group are those of the
# periodic tasks.
data "aws_iam_policy_document" "delay" {
  statement {
    sid     = "MakeSchedulesOfTasks"
    actions = ["scheduler:CreateSchedule"]
    # With its authorisation on, the emulator takes every schedule to be in the group `default`.
    resources = var.emulated ? ["*"] : [
      "${replace(aws_scheduler_schedule_group.this.arn, ":schedule-group/", ":schedule/")}/*",
    ]
  }

  # Without the condition the role could be handed to any service.
  statement {
    sid       = "GiveThemTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.schedules.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.${var.deployment.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "dead_letters_send" {
  statement {
    sid       = "PutAsideWithTheReason"
    actions   = ["sqs:SendMessage"]
    resources = local.dead_letter_arns
  }
}

data "aws_iam_policy_document" "watch" {
  statement {
    sid       = "CountWhatWaits"
    actions   = ["sqs:GetQueueAttributes"]
    resources = concat(local.queue_arns, local.dead_letter_arns)
  }
}

data "aws_iam_policy_document" "receipts_write" {
  statement {
    sid       = "ClaimAndRecordTasks"
    actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.receipts.arn]
  }
}

# An application whose workers share the receipts, or that keeps the results of its tasks beside them.
data "aws_iam_policy_document" "receipts_share" {
  statement {
    sid       = "ShareReceiptsAndResults"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.receipts.arn]
  }
}

data "aws_iam_policy_document" "receipts_list" {
  statement {
    sid       = "ListRecentTasks"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.receipts.arn}/index/recent"]
  }
}

data "aws_iam_policy_document" "files" {
  statement {
    sid       = "ReadFiles"
    actions   = ["s3:GetObject"]
    resources = [for arn in local.bucket_arns["read"] : "${arn}/*"]
  }

  # Without it S3 answers 403 where there is no file, and nobody could tell that from a missing permission:
  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
  statement {
    sid       = "SeeThatAFileIsMissing"
    actions   = ["s3:ListBucket"]
    resources = local.bucket_arns["read"]
  }

  statement {
    sid       = "WriteFiles"
    actions   = ["s3:PutObject"]
    resources = [for arn in local.bucket_arns["write"] : "${arn}/*"]
  }

  dynamic "statement" {
    for_each = length(local.bucket_arns["delete"]) > 0 ? ["DeleteFiles"] : []

    content {
      sid       = statement.value
      actions   = ["s3:DeleteObject"]
      resources = [for arn in local.bucket_arns["delete"] : "${arn}/*"]
    }
  }
}

# The application uploads the files of a report, and the arguments of a task that are too large for a message.
data "aws_iam_policy_document" "upload" {
  statement {
    sid       = "UploadFilesOfTasks"
    actions   = ["s3:PutObject"]
    resources = [for folder in ["reports", "tasks", "users"] : "${module.files_bucket.arn}/${folder}/*"]
  }
}
