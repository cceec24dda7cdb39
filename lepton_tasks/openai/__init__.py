"""The bodies that clients of the OpenAI API send and are answered, without HTTP."""
