FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# The home is made here, so that a volume mounted on it belongs to the user.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/lepton lepton

WORKDIR /app

# The dependencies first: a change of the sources does not fetch them again. The
# editable install only names this folder, so the packages may be empty until the
# next step, and workers/ and api/ are importable beside lepton_tasks/.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir lepton_tasks workers api \
    && touch lepton_tasks/__init__.py workers/__init__.py api/__init__.py \
    && pip install --constraint constraints.txt --editable ".[worker,api,flower]"

COPY lepton_tasks lepton_tasks
COPY workers workers
COPY api api

USER lepton
EXPOSE 8000
CMD ["lepton", "--help"]
