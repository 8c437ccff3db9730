"""The suite's own tests: does it find what is wrong, and nothing else?"""
