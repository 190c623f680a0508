"""The check digit of all numbers of GS1: digits weigh 3 and 1 by turns from the right (General Specifications, 7.9)."""


def check_digit(digits: str) -> str:
    """The digit that belongs behind these."""
    values = [int(digit) for digit in reversed(digits)]
    return str(-(3 * sum(values[::2]) + sum(values[1::2])) % 10)


def has_check_digit(number: str) -> bool:
    """Whether a number of digits ends in its check digit."""
    return number.isascii() and number.isdigit() and check_digit(number[:-1]) == number[-1]
