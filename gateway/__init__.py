"""The HTTP gateway: phones POST events, it answers 200 once they are kept."""
