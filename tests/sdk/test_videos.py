"""Videos made behind the request."""

import openai
import pytest

FILM = "grok-imagine-0.9"


def test_a_video_is_made_polled_and_downloaded(client):
    video = client.videos.create_and_poll(model=FILM, prompt="the sun rises", seconds="4", poll_interval_ms=50)
    assert (video.object, video.status, video.progress, video.error) == ("video", "completed", 100, None)
    assert (video.model, video.seconds, video.size) == (FILM, "4", "720x1280")
    content = client.videos.download_content(video.id).read()
    assert content[4:8] == b"ftyp"
    assert video.id in {listed.id for listed in client.videos.list(limit=100)}
    deleted = client.videos.delete(video.id)
    assert deleted.deleted and deleted.id == video.id
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_pages_of_videos_follow_each_other(client):
    made = [client.videos.create_and_poll(model=FILM, prompt="x", poll_interval_ms=50).id for _ in range(3)]
    found = [video.id for video in client.videos.list(limit=1)]
    assert [id for id in found if id in made] == made[::-1]
    found = [video.id for video in client.videos.list(limit=2, order="asc")]
    assert [id for id in found if id in made] == made


def test_a_video_that_fails_says_why(client):
    video = client.videos.create_and_poll(model=FILM, prompt="[[sim:fault=200-empty-body]]x", poll_interval_ms=50)
    assert (video.status, video.error.code) == ("failed", "upstream_video_missing")


def test_a_model_without_videos_is_refused(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.create(model="grok-3-fast", prompt="x")
    assert refused.value.param == "model"
