"""What becomes of subscriptions when their subscriber pays, or does not."""

from controller.usecases.subscriptions import after_money_in, hold_for_debt_in

__all__ = ["after_money_in", "hold_for_debt_in"]
