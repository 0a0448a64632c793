# What became of a mail after SES took it: configuration set -> topic -> queue -> function. The queue between
# lets events wait while the function is broken, and be tried again.

locals {
  topic_name = "${var.deployment.name_prefix}-feedback"

  # The key names the topic and the topic needs the key, so this ARN is built and not read; the queue, which
  # takes a while to make, need not wait for either.
  topic_arn = "arn:${var.deployment.partition}:sns:${var.deployment.region}:${var.deployment.account_id}:${local.topic_name}"
}

# A key of our own: SES may not use the one AWS keeps for SNS, and would drop its events without a word.
resource "aws_kms_key" "topic" {
  description         = "Encrypts the events of SES on the topic ${local.topic_name}"
  policy              = data.aws_iam_policy_document.key.json
  enable_key_rotation = true

  # The shortest there is: an event stays under this key for the second it takes to reach the queue.
  deletion_window_in_days = 7
}

resource "aws_sns_topic" "this" {
  name              = local.topic_name
  kms_master_key_id = aws_kms_key.topic.arn
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = data.aws_iam_policy_document.topic.json
}

module "queue" {
  source = "../queue"

  deployment = var.deployment
  name       = "feedback"
  settings   = var.queue_settings
  emulated   = var.emulated

  publishers = {
    topic = {
      service    = "sns.${var.deployment.dns_suffix}"
      source_arn = local.topic_arn
    }
  }
}

resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.this.arn
  protocol             = "sqs"
  endpoint             = module.queue.arn
  raw_message_delivery = true

  # Also what SNS cannot deliver becomes a dead letter: while there is none, every event has arrived, and that
  # is what `sweep` goes by before it has an unknown recipient mailed again.
  redrive_policy = jsonencode({ deadLetterTargetArn = module.queue.dead_letter_arn })
}

# No clicks and opens: those would rewrite links and count people.
resource "aws_sesv2_configuration_set_event_destination" "this" {
  configuration_set_name = var.configuration_set.name
  event_destination_name = "feedback"

  event_destination {
    enabled = true
    matching_event_types = [
      "BOUNCE",
      "COMPLAINT",
      "DELIVERY",
      "DELIVERY_DELAY",
      "REJECT",
      "RENDERING_FAILURE",
      "SEND",
    ]

    sns_destination {
      topic_arn = aws_sns_topic.this.arn
    }
  }

  # SES tries the topic before it takes it; and an event before the subscription would be lost.
  depends_on = [aws_sns_topic_policy.this, aws_sns_topic_subscription.queue]
}

module "worker" {
  source = "../worker"

  deployment            = var.deployment
  name                  = "feedback"
  package               = var.package
  layer_arns            = var.layer_arns
  log                   = var.log
  settings              = var.settings
  queue                 = module.queue.source
  environment_variables = merge(var.environment_variables, { FEEDBACK_TOPIC_ARN = local.topic_arn })
  policies              = var.policies
}
