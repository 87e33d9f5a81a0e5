"""What the use cases need from the outside, one abstract class per module."""
