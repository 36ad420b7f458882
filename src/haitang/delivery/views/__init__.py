"""Messages for people: the inbox, the outbox, group robots and webhooks, browsers; and the door for receipts."""
