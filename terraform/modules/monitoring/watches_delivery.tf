# Does mail flow, and does the world want it? Queues, dead letters, and what SES thinks of us.

locals {
  every_dead_letter = merge(
    { for job, queue in var.queues : job => queue.dead_letter_name },
    var.dead_letter_names,
  )

  dead_letter_watches = {
    for job, name in local.every_dead_letter : "dead-letters-${job}" => {
      namespace      = "AWS/SQS"
      metric         = "ApproximateNumberOfMessagesVisible"
      dimensions     = { QueueName = name }
      statistic      = "Maximum"
      period_seconds = 60
      runbook        = "dead-letters"
      levels = {
        critical = {
          rule      = "A message lies in ${name}: something failed as often as it may."
          threshold = 0
          periods   = 1
        }
      }
    }
  }

  age_watches = {
    for job, queue in var.queues : "queue-age-${job}" => {
      namespace      = "AWS/SQS"
      metric         = "ApproximateAgeOfOldestMessage"
      dimensions     = { QueueName = queue.name }
      statistic      = "Maximum"
      period_seconds = 60
      runbook        = "queue-age"
      levels = {
        for severity, seconds in queue.age_seconds : severity => {
          rule      = "The oldest message of ${queue.name} has waited for more than ${floor(seconds / 60)} minutes, for 3 minutes."
          threshold = seconds
          periods   = 3
        }
      }
    }
  }

  # Of the account, because that is what AWS reviews (at 5 % and 0.1 %) and pauses (at 10 % and 0.5 %). The
  # figures come now and then, not every minute, so a gap changes nothing:
  # https://docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html
  reputation = {
    namespace      = "AWS/SES"
    dimensions     = {}
    statistic      = "Maximum"
    period_seconds = 900
    missing        = "ignore"
  }

  reputation_watches = {
    bounce-rate = merge(local.reputation, {
      metric  = "Reputation.BounceRate"
      runbook = "bounce-rate"
      levels = {
        warning  = { rule = "2 % of the account's mails or more bounce for good.", threshold = 0.02, periods = 1 }
        critical = { rule = "5 % of the account's mails or more bounce for good: AWS puts the account under review.", threshold = 0.05, periods = 1 }
      }
      comparison = "GreaterThanOrEqualToThreshold"
    })

    complaint-rate = merge(local.reputation, {
      metric  = "Reputation.ComplaintRate"
      runbook = "complaint-rate"
      levels = {
        warning  = { rule = "0.05 % of the account's mails or more are reported as spam.", threshold = 0.0005, periods = 1 }
        critical = { rule = "0.1 % of the account's mails or more are reported as spam: AWS puts the account under review.", threshold = 0.001, periods = 1 }
      }
      comparison = "GreaterThanOrEqualToThreshold"
    })
  }

  feedback_watches = {
    feedback-lost = {
      namespace      = "AWS/SNS"
      metric         = "NumberOfNotificationsFailed"
      dimensions     = { TopicName = var.feedback_topic_name }
      statistic      = "Sum"
      period_seconds = 300
      runbook        = "feedback-lost"
      levels = {
        warning = {
          rule      = "An event of SES could not be handed to the feedback queue, in 5 minutes."
          threshold = 0
          periods   = 1
        }
      }
    }
  }

  delivery_watches = merge(
    local.dead_letter_watches,
    local.age_watches,
    local.reputation_watches,
    local.feedback_watches,
  )
}
