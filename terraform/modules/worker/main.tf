module "function" {
  source = "../function"

  deployment            = var.deployment
  name                  = var.name
  package               = var.package
  layer_arns            = var.layer_arns
  log                   = var.log
  memory_mb             = var.settings.memory_mb
  timeout_seconds       = var.settings.timeout_seconds
  environment_variables = var.environment_variables
  policies              = merge(var.policies, { queue-consume = var.queue.consume_policy_json })
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = var.queue.arn
  function_name                      = module.function.arn
  batch_size                         = var.settings.batch_size
  maximum_batching_window_in_seconds = var.settings.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.settings.maximum_concurrency
  }

  lifecycle {
    # GovCloud has no tags on mappings, so default_tags would be a difference in every plan:
    # https://github.com/hashicorp/terraform-provider-aws/issues/40755
    ignore_changes = [tags, tags_all]

    # AWS advises 6 times, so that a throttled batch is tried again before its messages turn up elsewhere.
    # 3 times is enough here: a claim in the ledger keeps a message that turns up twice from being mailed
    # twice, and `sweep` sends again what was left behind. In return a crash is repaired in half the time.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    precondition {
      condition     = var.queue.visibility_timeout_seconds >= 3 * var.settings.timeout_seconds
      error_message = "The queue of ${var.name} must hide a message for at least 3 times the function's timeout (got ${var.queue.visibility_timeout_seconds} s against 3 x ${var.settings.timeout_seconds} s)."
    }

    # Lambda refuses it, but only when the mapping is made.
    precondition {
      condition     = var.settings.batch_size <= 10 || var.settings.batching_window_seconds >= 1
      error_message = "A batch_size over 10 needs a batching_window_seconds of at least 1 (got ${var.settings.batch_size} and ${var.settings.batching_window_seconds} for ${var.name})."
    }
  }
}
