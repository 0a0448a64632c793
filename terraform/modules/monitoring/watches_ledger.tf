# Is everybody served? The sweep looks at the ledger every minute and says so in embedded metrics.

locals {
  sweep = {
    namespace      = "Sendmill"
    dimensions     = { service = "sweep", environment = var.deployment.environment }
    statistic      = "Maximum"
    period_seconds = 60
  }

  ledger_watches = {
    # First of all: whatever breaks, here it shows. Without a sweep there is no figure, which is no comfort.
    ledger-age = merge(local.sweep, {
      metric  = "SweepOldestOpenSeconds"
      runbook = "ledger-age"
      missing = "breaching"
      levels = {
        for severity, seconds in var.settings.ledger_age_seconds : severity => {
          rule      = "A recipient who should have been served has waited for more than ${floor(seconds / 60)} minutes, or the sweep says nothing, for 5 minutes."
          threshold = seconds
          periods   = 5
        }
      }
    })

    sweep-heartbeat = merge(local.sweep, {
      metric     = "SweepHeartbeat"
      statistic  = "Sum"
      runbook    = "sweep-heartbeat"
      comparison = "LessThanThreshold"
      missing    = "breaching"
      levels = {
        critical = {
          rule      = "The sweep, which runs every minute, has not finished once in 10 minutes."
          threshold = 1
          periods   = 10
        }
      }
    })

    unknown-recipients = merge(local.sweep, {
      metric  = "SweepUnknown"
      runbook = "unknown-recipients"
      levels = {
        warning = {
          rule      = "For 15 minutes there have been recipients of whom nobody knows whether they were mailed."
          threshold = 0
          periods   = 15
        }
        critical = {
          rule      = "For an hour there have been recipients of whom nobody knows whether they were mailed."
          threshold = 0
          periods   = 60
        }
      }
    })

    counter-drift = merge(local.sweep, {
      metric  = "SweepDrifted"
      runbook = "counter-drift"
      levels = {
        critical = {
          rule      = "The counters of a campaign did not agree with its rows; the sweep has mended them."
          threshold = 0
          periods   = 1
        }
      }
    })

    campaign-paused = merge(local.sweep, {
      metric  = "SweepPaused"
      runbook = "campaign-paused"
      levels = {
        warning = {
          rule      = "A campaign was paused because too many of its mails bounced or drew complaints."
          threshold = 0
          periods   = 1
        }
      }
    })

    sending-stopped = merge(local.sweep, {
      metric  = "AccountStopped"
      runbook = "sending-stopped"
      levels = {
        critical = {
          rule       = "SES has switched off sending for the account, in 2 of 5 minutes."
          threshold  = 0
          periods    = 5
          datapoints = 2
        }
      }
    })

    daily-quota = merge(local.sweep, {
      metric  = "AccountQuotaUsedPercent"
      runbook = "daily-quota"
      levels = {
        warning = {
          rule      = "More than 80 % of the mails SES allows in 24 hours were sent."
          threshold = 80
          periods   = 5
        }
        critical = {
          rule      = "More than 95 % of the mails SES allows in 24 hours were sent."
          threshold = 95
          periods   = 5
        }
      }
    })
  }
}
